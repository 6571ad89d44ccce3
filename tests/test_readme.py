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
LINES = [line.split("#")[0].strip() for line in README.splitlines() if line.startswith("    ")]
COMMANDS = [line for line in LINES if line.startswith(("jacspec ", "python -m verification"))]


def test_there_is_something_to_check() -> None:
    assert PYTHON
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("block", range(len(PYTHON)))
def test_python_blocks_run(block: int) -> None:
    source = PYTHON[block]
    if "def test_" in source:
        compile(source, "README.md", "exec")  # a property test that is meant to fail; docs/strategies.md shows it do so
        return
    done = run([sys.executable, "-W", "error", "-c", source])
    assert done.returncode == 0, done.stderr


def run(arguments: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=400, check=False, cwd=cwd)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command: str, tmp_path: Path) -> None:
    words = shlex.split(command)
    if words[0] == "jacspec":
        start = [sys.executable, "-c", "from verification.cli import run; run()"]
        words = words[1:]
        if words[0] == "verify":
            words += ["--examples", "20", "--jobs", "1"]  # the same path, less of it
        if words[0] == "sharpen":
            words += ["--evaluations", "100"]
    else:
        start = [sys.executable]
        words = [*words[1:], "--examples", "20"]
    done = run([*start, *words], tmp_path)
    assert done.returncode == 0, done.stderr
