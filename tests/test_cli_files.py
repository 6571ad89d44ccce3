"""Files that commands write: refused before any work, never over what is read, and no result is lost to a full disk."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import click
import pytest

from jacspec import InputError
from jacspec._files import atomic
from verification.cli import cli, common, main
from verification.cli.common import Command, Written

UNIT = "sphere:n=5,d=3"
#: What each command needs besides; all of it would take work.
WORDS = {
    "constants": [UNIT],
    "widths": [UNIT],
    "claims": [],
    "verify": ["random-khatri-rao-edge"],
    "train": [UNIT],
    "certify": ["run.npz"],
    "phase": [],
    "scaling": ["5.db"],
    "sharpen": ["schur-bounds"],
    "report": ["--data", UNIT],
    "campaign": [],
    "new-claim": ["my-bound"],
}
#: Options and arguments that name a file to be read.
READ = {"file", "stored", "runs", "certificates", "stores", "witness"}


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


WRITTEN = [(name, p.opts[-1]) for name in WORDS for p in command(name).params if isinstance(p.type, Written)]


def test_every_file_of_every_command_is_checked_in_one_place() -> None:
    assert list(WORDS) == cli.list_commands(click.Context(cli))
    for name in WORDS:
        assert isinstance(command(name), Command) or name == "new-claim"  # which looks for itself
        for parameter in command(name).params:
            if isinstance(parameter.type, click.Path):
                assert isinstance(parameter.type, Written) != (parameter.name in READ), parameter.name
    assert len(WRITTEN) >= 20


@pytest.mark.parametrize(("name", "option"), WRITTEN)
def test_what_cannot_be_written_is_said_before_any_work(
    name: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kind = next(p.type for p in command(name).params if option in p.opts)
    assert isinstance(kind, Written)
    end = {"--plot": ".svg"}.get(option, "".join(f".{end}" for end in kind.endings[:1])) or ".py"
    assert main([name, *WORDS[name], option, f"nowhere/file{end}"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"jacspec: error: {option}: got 'nowhere/file")
    assert list(tmp_path.iterdir()) == []
    if kind.endings or option == "--plot":
        assert main([name, *WORDS[name], option, "file.txt"]) == 2
        assert f"{option}: got 'file.txt'; expected a file that ends in ." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["constants", "X.csv", "-o", "X.csv"], "that of DATA, which is read"),
        (["constants", "X.npz::A", "-o", "./X.npz"], "that of DATA, which is read"),
        (["train", UNIT, "--labels", "y.npy", "--save", "a.npz", "--plot", "y.png"], ""),
        (["train", UNIT, "--labels", "X.npz::A", "--save", "X.npz"], "that of --labels, which is read"),
        (["report", "--run", "X.csv", "--run", "X.npz", "-o", "X.npz"], "that of --run, which is read"),
        (["verify", "--html", "new.html", "-o", "new.html"], "--"),
        (["verify", "--html", "link", "--junitxml", "new.html"], "--"),
    ],
)
def test_no_file_is_overwritten_that_is_read_or_written_besides(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("X.csv", "X.npz"):
        Path(name).write_text("1,0\n0,1\n")
    os.symlink("new.html", "link")
    assert main(words) == 2
    err = capsys.readouterr().err
    assert ("expected another file than that of " in err) == bool(said)
    assert said in err
    assert {Path(name).read_text() for name in ("X.csv", "X.npz")} == {"1,0\n0,1\n"}


def test_results_are_shown_where_a_file_cannot_be_written_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def full(*arguments: Any, **keywords: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(common, "atomic", full)
    words = ["verify", "schur-bounds", "--examples", "2", "--jobs", "1"]
    for options in (["--junitxml", "x.xml"], ["--html", "x.html"], ["-o", "x.txt"], ["--json", "-o", "x.json"]):
        assert main([*words, *options]) == 2
        out, err = capsys.readouterr()
        assert "schur-bounds" in out
        assert err.count("\n") == 1
        assert f"{options[-2].replace('-o', '--output')}: got '{options[-1]}'" in err.replace("----", "--")
        assert "(No space left on device)" in err
    import verification.report

    def breaks(found: Any) -> str:
        raise ZeroDivisionError("an error of the program itself")

    monkeypatch.setattr(verification.report, "render", breaks)
    assert main([*words, "--html", "x.html"]) == 3
    out, err = capsys.readouterr()
    assert "schur-bounds" in out
    assert "ZeroDivisionError" in err
    import jacspec.training.trajectory as trajectory

    monkeypatch.setattr(trajectory, "atomic", full)
    assert main(["train", UNIT, "--width", "4", "--steps", "5", "--no-bounds", "--save", "run.npz"]) == 2
    out, err = capsys.readouterr()
    assert "mean rate" in out
    assert "Saved to" not in out
    assert "--save" in err
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_one_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    target, link, pipe = tmp_path / "target", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(target)
    for text in ("first", "second"):
        with atomic(str(link)) as handle:
            handle.write(text)
    assert link.is_symlink()
    assert target.read_text() == "second"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    with atomic(str(pipe)) as handle:
        handle.write("through")
    reader.join(5)
    assert read == ["through"]
    assert pipe.is_fifo()
    with pytest.raises(InputError, match="can be written"), atomic(str(tmp_path)):
        pass
