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
INDENTED = re.findall(r"(?:^    .*\n)+", README, re.M)
#: Lines that stand together are typed one after the other, in one folder.
SESSIONS = [
    commands
    for block in INDENTED
    if (
        commands := [
            line for line in (line.split("#")[0].strip() for line in block.splitlines()) if line.startswith("jacspec ")
        ]
    )
]


def test_there_is_something_to_check() -> None:
    assert sum(map(len, SESSIONS)) >= 5


@pytest.mark.parametrize("commands", SESSIONS, ids=lambda commands: commands[0])
def test_commands_run(commands: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    for command in commands:
        words = [sys.executable, "-c", "from verification.cli import run; run()", *shortened(shlex.split(command)[1:])]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=400, cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def shortened(words: list[str]) -> list[str]:
    """The same path with less work."""
    less = {"verify": ["--examples", "20", "--jobs", "1"], "sharpen": ["--evaluations", "100"]}
    return [*words, *less.get(words[0], [])]


def test_the_citation_file_has_the_version_and_the_changelog_a_heading_for_it() -> None:
    from jacspec import __version__

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    headings = re.findall(r"^## (\S+)(?: \((.*)\))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0][0] == __version__
    assert len([when for _, when in headings if when == "unreleased"]) <= 1
