"""The house's rules that a machine can check: import arrows, light start-up, file sizes, names in one place."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from verification.claims import SLUGS

ROOT = Path(__file__).resolve().parent.parent

#: Rooms of jacspec from the ground up: a module may import rooms on lower or equal floors only.
FLOORS = {
    "_checks": 0,
    "rounding": 0,
    "_jit": 0,
    "_files": 1,
    "comparison": 1,
    "_kernels": 1,
    "_native": 1,
    "_accurate": 1,
    "activations": 2,
    "elementwise": 2,
    "data": 2,
    "hermite": 3,
    "bounds": 3,
    "khatri_rao": 3,
    "lanczos": 3,
    "exact_zeros": 4,
    "network": 4,
    "from_torch": 4,
    "separation": 5,
    "enclosure": 5,
    "spectrum": 6,
    "jacobian": 5,
    "covariance": 7,
    "literature": 5,
    "training": 7,
    "proved": 8,
    "widths": 8,
    "constants": 9,
    "guarantees": 10,
    "certificates": 8,
    "__main__": 11,
    "testing": 10,
}


#: Lines of the longest file. A longer one becomes a folder of the same name, or two files of tests.
LONGEST = {"jacspec": 500, "verification": 500, "docs": 500, "tests": 540}

#: Rooms of `verification`, besides the claims, that are about certain statements and say which.
NAMING = {"campaign", "recheck", "sweep", "cli/certify"}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Absolute names of everything a file imports, at any depth; imports for type checking only do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    parts = path.relative_to(ROOT).with_suffix("").parts
    found = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = ".".join(parts[: len(parts) - node.level])
                stem = f"{base}.{node.module}" if node.module else base
            else:
                stem = node.module or ""
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", sources("jacspec"), ids=lambda p: str(p.relative_to(ROOT)))
def test_jacspec_never_imports_verification(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] == "verification"}


@pytest.mark.parametrize("path", sources("jacspec"), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_point_down(path: Path) -> None:
    room = path.relative_to(ROOT / "jacspec").parts[0].removesuffix(".py")
    if room == "__init__":
        return
    assert room in FLOORS, f"give the room '{room}' a floor"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "jacspec" or len(parts) < 2 or parts[1] not in FLOORS:
            continue
        assert FLOORS[parts[1]] <= FLOORS[room], f"{path.name} imports {name}, which lies above it"


@pytest.mark.parametrize(
    "path", [*sources("jacspec"), *sources("verification")], ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_the_command_line_prints(path: Path) -> None:
    if "cli" in path.parts:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    assert not [n.lineno for n in calls if n.func.id == "print"]


@pytest.mark.parametrize("package", LONGEST)
def test_files_are_short(package: str) -> None:
    found = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(package)}
    assert not {str(path.relative_to(ROOT)): n for path, n in found.items() if n > LONGEST[package]}


def test_names_are_words_and_said_once() -> None:
    """A module has a name of its own: no utils, nothing numbered; no folder stands beside a file of its name."""
    for path in [*sources("jacspec"), *sources("verification")]:
        assert re.fullmatch(r"_{0,2}[a-z][a-z_]*?_{0,2}", path.stem), path
        assert path.stem.strip("_") not in {"utils", "util", "helpers", "misc", "common_utils", "tools"}, path
        assert not path.with_suffix("").is_dir(), f"{path} and a folder of the same name"


def test_no_lemma_is_named_outside_the_claims() -> None:
    """Whatever runs, draws or reports claims is written against `Claim`: it names none of them, but in docstrings."""
    slugs, naming = set(SLUGS), set()
    for path in sources("verification"):
        parts = path.relative_to(ROOT / "verification").with_suffix("").parts
        if parts[0] == "claims":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.Constant) and node.value in slugs for node in ast.walk(tree)):
            naming.add("/".join(parts) if parts[0] == "cli" else parts[0])
    assert naming == NAMING


@pytest.mark.parametrize(
    "path", [*sources("jacspec"), *sources("verification")], ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_plots_import_matplotlib(path: Path) -> None:
    if path.parent != ROOT / "verification" / "plots":
        assert not {name for name in imports(path) if name.split(".")[0] == "matplotlib"}


def test_importing_the_package_or_asking_for_help_stays_light() -> None:
    code = (
        "import sys, jacspec, verification.cli\n"
        "verification.cli.main(['--help'])\n"
        "heavy = {'numpy', 'scipy', 'numba', 'flint', 'mpmath', 'hypothesis', 'rich', 'sklearn', 'matplotlib'}\n"
        "heavy &= set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names_exist_and_are_what_they_say() -> None:
    import jacspec

    for name in jacspec.__all__:
        value = getattr(jacspec, name)
        assert name == "__version__" or not hasattr(value, "__path__"), f"{name} is a module, not an object"
