"""What the README tells people to type works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)
INDENTED = re.findall(r"(?:^    .*\n)+", README, re.M)
#: Lines that stand together are typed one after the other, in one folder.
SESSIONS = [
    commands
    for block in INDENTED
    if (
        commands := [
            line
            for line in (line.split("#")[0].strip() for line in block.splitlines())
            if line.startswith(("jacspec ", "python -m verification", "python -m pytest --jacspec "))
        ]
    )
]


def test_there_is_something_to_check() -> None:
    assert PYTHON
    assert sum(map(len, SESSIONS)) >= 8


@pytest.mark.parametrize("block", range(len(PYTHON)))
def test_python_blocks_run(block: int) -> None:
    source = PYTHON[block]
    if "def test_" in source:
        compile(source, "README.md", "exec")  # a property test that is meant to fail; docs/strategies.md shows it do so
        return
    done = run([sys.executable, "-W", "error", "-c", source])
    assert done.returncode == 0, done.stderr


def run(arguments: list[str], cwd: Path | None = None, *site: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [*map(str, site), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=400, check=False, cwd=cwd)


@pytest.mark.parametrize("commands", SESSIONS, ids=lambda commands: commands[0])
def test_commands_run(commands: list[str], tmp_path: Path, plugin_site: Path) -> None:
    for command in commands:
        done = run(shortened(shlex.split(command)), tmp_path, plugin_site)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def shortened(words: list[str]) -> list[str]:
    """The same path with less work."""
    if "pytest" in words:
        return [sys.executable, *words[1:], "--jacspec-examples", "20", "-p", "no:cacheprovider"]
    if words[0] != "jacspec":
        return [sys.executable, *words[1:], "--examples", "20"]
    less = {"verify": ["--examples", "20", "--jobs", "1"], "sharpen": ["--evaluations", "100"]}
    start = [sys.executable, "-c", "from verification.cli import run; run()"]
    return [*start, *words[1:], *less.get(words[1], [])]


def test_the_citation_file_has_the_version_and_the_changelog_a_heading_for_it() -> None:
    from jacspec import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    headings = re.findall(r"^## (\S+)(?: \((.*)\))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0][0] == __version__
    assert len([when for _, when in headings if when == "unreleased"]) <= 1
