"""What the command line says to wrong words and to extreme numbers: one line, exit code 2, nothing written."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from verification.cli import cli, main

COMMANDS = cli.list_commands(click.Context(cli))

UNIT = "sphere:n=5,d=3"

WRONG = {
    "command": (["constnts"], "COMMAND", "did you mean 'constants'?"),
    "no command like it": (["xyzzy"], "COMMAND", "expected one of constants"),
    "option of all": (["--versoin"], "option", "did you mean '--version'?"),
    "option": (["train", UNIT, "--stepz", "3"], "option", "did you mean '--steps'?"),
    "british": (["verify", "--normalise"], "option", "did you mean '--normalize'?"),
    "no data": (["constants"], "DATA", "jacspec constants --help"),
    "no slug": (["sharpen"], "SLUG", "jacspec sharpen --help"),
    "too many": (["constants", UNIT, "x"], "argument", "jacspec constants --help"),
    "no value": (["train", UNIT, "--eta"], "--eta", "got nothing"),
    "choice": (["train", UNIT, "--algorithm", "gdd"], "--algorithm", "one of gd, sgd; did you mean 'gd'?"),
    "no integer": (["train", UNIT, "--steps", "0.5"], "--steps", "got '0.5'; expected an integer"),
    "no number": (["constants", UNIT, "--delta", "x"], "--delta", "got 'x'; expected a number"),
    "folder": (["train", UNIT, "--plot", "."], "--plot", "this is a directory"),
    "claim": (["verify", "jacobian-nrm"], "SLUG", "did you mean 'jacobian-norm'?"),
    "activation": (["constants", UNIT, "-a", "softpluss"], "--activation", "did you mean 'softplus'?"),
    "data": (["constants", "shpere:n=5,d=3"], "DATA", "did you mean 'sphere'?"),
    "odd": (["train", UNIT, "--width", "3"], "--width", "even"),
    "eta": (["train", UNIT, "--eta", "-1"], "--eta", "> 0"),
    "eta-bar": (["train", UNIT, "--eta-bar", "2"], "--eta-bar", "<= 1"),
    "short labels": (["train", "sphere:n=6,d=3", "--labels", "huge.npy"], "--labels", "one for each row"),
    "own claim": (["verify", "my-bound"], "SLUG", "did you mean 'my_bound.py'?"),
    "width": (["train", UNIT, "--width", "1000000000000"], "output weights", "smaller width"),
    "wider": (["train", UNIT, "--width", str(10**30)], "output weights", "smaller width"),
    "steps": (["train", UNIT, "--steps", str(10**25)], "--steps", "at most"),
    "batch": (["train", UNIT, "--algorithm", "sgd", "--batch", str(10**12)], "--batch", "at most"),
    "huge labels": (["train", UNIT, "--labels", "huge.npy"], "labels", "rescale"),
    "tiny labels": (["train", UNIT, "--labels", "tiny.npy", "--eta", "0.1"], "labels", "rescale"),
    "huge labels alone": (["train", UNIT, "--labels", "huge.npy", "--no-bounds"], "y", "rescale"),
    "save": (["sharpen", "jacobian-norm", "--save", "nowhere/x.npz"], "--save", "folder that exists"),
    "witness": (["sharpen", "jacobian-norm", "--witness", "huge.npy"], "--witness", "sharpen --save"),
    "witness cut short": (["sharpen", "jacobian-norm", "--witness", "cut.npz"], "--witness", "sharpen --save"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    labels = np.array([1.0, -1.0, 1.0, 1.0, -1.0])
    np.save(tmp_path / "huge.npy", 1e300 * labels)
    np.save(tmp_path / "tiny.npy", 1e-300 * labels)
    (tmp_path / "my_bound.py").write_text("")
    np.savez(tmp_path / "whole.npz", A=labels)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:-30])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", WRONG)
def test_wrong_words_are_one_line_with_a_way_out(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, argument, words = WRONG[name]
    before = sorted(folder.iterdir())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("jacspec: error: ")
    assert err.count("\n") == 1
    assert argument in err
    assert words in err
    assert sorted(folder.iterdir()) == before


def test_no_words_at_all_are_answered_with_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: jacspec")
    assert "constants" in out
    assert err == ""


@pytest.mark.parametrize("exponent", [-149, -59, 59, 149])
@pytest.mark.parametrize("options", [(), ("--trains", "output"), ("--algorithm", "sgd")])
def test_labels_of_any_size_that_is_taken_are_trained_on(
    exponent: int, options: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a message where float64 cannot hold a step size, and never an error of the program itself."""
    np.save("labels.npy", 10.0**exponent * np.array([1.0, -1.0, 1.0, 1.0, -1.0]))
    bounds = ("--no-bounds",) if abs(exponent) > 60 else ()
    code = main(["train", UNIT, "--labels", "labels.npy", "--steps", "20", "--width", "4", *options, *bounds])
    err = capsys.readouterr().err
    assert (code, "rescale" in err) in {(0, False), (2, True)}


# -- completion -----------------------------------------------------------------------------------------------------


def offered(*words: str) -> list[str]:
    from click.shell_completion import ShellComplete

    from verification.cli import cli

    *given, last = words
    return [item.value for item in ShellComplete(cli, {}, "jacspec", "_X").get_completions(given, last)]


def test_a_tab_completes_commands_claims_activations_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert offered("cer") == ["certify"]
    assert {"jacobian-norm", "jacobian-lipschitz"} <= set(offered("verify", "jaco"))
    assert "jacobian-norm" not in offered("verify", "jacobian-norm", "jaco")
    assert offered("claims", "schur_b") == ["schur-bounds"]
    assert offered("sharpen", "my_bo") == ["my_bo"]  # a file, which the shell completes
    assert offered("constants", UNIT, "-a", "soft") == ["softplus"]
    assert offered("train", "sklearn:i") == ["sklearn:iris"]
    assert offered("train", UNIT, "--labels", "sig") == ["signs:seed=0"]
    assert offered("constants", UNIT, "--norm") == ["--normalize"]
    assert offered("phase", "--algorithm", "s") == ["sgd"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_words_with_a_colon_or_an_equals_sign(tmp_path: Path) -> None:
    """bash cuts words there, and replaces the last piece alone."""
    program = tmp_path / "jacspec"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m jacspec "$@"\n')
    program.chmod(0o755)
    words = {"sklearn:i": "iris", "sphere:n=5": "50,d=20,seed=0", "sklearn:iris --norm": "--normalize"}
    lines = ['eval "$(_JACSPEC_COMPLETE=bash_source ./jacspec)"', "compopt() { :; }"]
    for word in words:
        lines += [f"COMP_LINE='jacspec constants {word}'", "COMP_POINT=${#COMP_LINE} COMPREPLY=()"]
        lines += ["_jacspec_completion ./jacspec", 'echo "${COMPREPLY[*]}"']
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == list(words.values())


# -- plain output ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["claims"], ["constants", UNIT], ["widths", UNIT], ["phase", "--help"]])
@pytest.mark.parametrize("how", ["piped", "NO_COLOR", "--no-color"])
def test_no_colour_where_none_is_wanted(
    arguments: list[str], how: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if how != "piped":
        monkeypatch.setenv("FORCE_COLOR", "1")  # as if on a terminal
        monkeypatch.setenv("TERM", "xterm-256color")
    if how == "NO_COLOR":
        monkeypatch.setenv("NO_COLOR", "1")
    assert main([*arguments, *([how] if how.startswith("--") else [])]) == 0
    out, err = capsys.readouterr()
    assert out
    assert err == ""
    assert not {"\x1b", "\r"} & set(out)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "sphere:n=9,d=3", "--labels", "huge.npy", "--steps", "30", "--width", "4", "--checkpoints", "0"],
        ["constants", UNIT, *(word for name in ("relu", "tanh", "gelu", "silu", "elu") for word in ("-a", name))],
    ],
)
def test_no_number_is_cropped_however_narrow_the_terminal(
    arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("huge.npy", 1e9 * np.sin(np.arange(9)))  # numbers of many digits
    found = []
    for columns in ("60", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        assert main([*arguments, "--quiet"]) == 0
        out = capsys.readouterr().out
        found.append(re.findall(r"(?<=\s)-?\d[\d.e+-]*(?=\s)(?! s\s)", out))  # without seconds
    assert len(found[0]) > 20
    assert sorted(found[0]) == sorted(found[1])


# -- help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_option_and_its_example_is_one_to_type(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help
    assert not [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    examples = re.findall(r"Example:  (.*)", command.epilog or "")
    assert examples
    for example in examples:
        program, own, *words = shlex.split(example)
        assert (program, own) == ("jacspec", name)
        command.make_context(name, words)
