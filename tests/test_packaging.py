"""What is built holds everything, and works where no checkout is. Slow, because it installs from a package index."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow


def run(*words: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(w) for w in words], capture_output=True, text=True, cwd=cwd, env=environment, timeout=500, check=False
    )
    assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def tracked(*folders: str) -> set[str]:
    """Files of the repository, as git knows them."""
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository to hold the build against")
    return set(run("git", "ls-files", *folders, cwd=ROOT).split())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and the wheel that was built out of it (which therefore holds what the wheel needs)."""
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    for name in tracked():  # not the folder itself: what lies about in it must not be needed, nor come along
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "build", "--outdir", folder, source, cwd=folder)
    return folder


def test_the_sdist_holds_the_repository(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked() - names <= {".gitignore"}


def test_the_wheel_holds_both_packages_and_nothing_else(built: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == tracked("jacspec", "verification")
    assert {"jacspec/py.typed", "verification/py.typed", "verification/claims/_template.py"} <= names


def test_the_wheel_works_without_a_checkout(built: Path, tmp_path: Path) -> None:
    """With the least that it asks for, and no extra."""
    (wheel,) = built.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / "bin"
    run(scripts / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=tmp_path)
    jacspec = scripts / "jacspec"
    where = run(scripts / "python", "-c", "import jacspec, verification; print(jacspec.__file__)", cwd=tmp_path)
    assert str(tmp_path) in where
    assert run(jacspec, "--version", cwd=tmp_path) == run(
        scripts / "python", "-m", "jacspec", "--version", cwd=tmp_path
    )
    assert "HOLDS" in run(jacspec, "verify", "jacobian-lipschitz", "--examples", "30", cwd=tmp_path)
    assert "sigma_min(X*X)" in run(jacspec, "constants", "sphere:n=10,d=5", cwd=tmp_path)
    run(jacspec, "new-claim", "my-bound", cwd=tmp_path)
    assert "HOLDS" in run(jacspec, "verify", "my_bound.py", "--examples", "30", "--mutants", cwd=tmp_path)
    run(jacspec, "train", "sphere:n=10,d=5", "--steps", "500", "--plot", "run.svg", cwd=tmp_path)
    assert (tmp_path / "run.svg").stat().st_size > 0
