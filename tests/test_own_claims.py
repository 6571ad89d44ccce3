"""One's own claims, as a new user meets them: a file from `jacspec new-claim`, what can be wrong with it, packages."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from verification.own_claims import ClaimError, expand, load_file, load_own

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = (ROOT / "verification" / "claims" / "_template.py").read_text(encoding="utf-8")
COMMAND = [sys.executable, "-c", "from verification.cli import run; run()"]


def run(arguments: list[str], cwd: Path, *paths: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*map(str, paths), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), "COLUMNS": "80"}
    return subprocess.run(arguments, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False)


def jacspec(cwd: Path, *arguments: str, site: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return run([*COMMAND, *arguments], cwd, site)


def written(folder: Path, name: str = "my_bound.py", *changes: tuple[str, str]) -> Path:
    """The template in a file, with texts replaced that must be there."""
    text = TEMPLATE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# -- the way of a new user ------------------------------------------------------------------------------------------


def test_a_new_claim_runs_as_it_stands(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    made = jacspec(folder, "new-claim", "my-lemma")
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines() == ["Wrote my_lemma.py.", "Next: jacspec verify my_lemma.py"]
    done = jacspec(folder, "verify", "my_lemma.py", "--mutants", "--json", "--examples", "60")
    assert done.returncode == 0, done.stderr
    hardly = jacspec(folder, "verify", "my_lemma.py::my-lemma", "--mutants", "--examples", "1")
    assert hardly.returncode == 0  # its extremal instance alone has the power to refute the mutants
    (claim,) = json.loads(done.stdout)["claims"]
    assert (claim["id"], claim["file"]) == ("my-lemma", "my_lemma.py")
    assert {v["name"]: v["verdict"] for v in claim["variants"]} == {"simple": "HOLDS", "sharp": "HOLDS"}
    assert min(v["decided"] / v["instances"] for v in claim["variants"]) >= 0.9
    assert {m["name"]: m["refuted"] for m in claim["mutants"]} == {"twin": True, "without-X": True}
    assert [p.name for p in folder.iterdir()] == ["my_lemma.py"]  # nothing is left beside it


def test_a_file_is_run_alone_shown_and_sharpened(tmp_path: Path) -> None:
    written(tmp_path)
    alone = run([sys.executable, "my_bound.py", "--examples", "20"], tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert "HOLDS" in alone.stdout
    assert "Next: jacspec verify my_bound.py --mutants" in alone.stdout
    assert "Squares of unit rows" in jacspec(tmp_path, "claims", "my_bound.py").stdout
    sharpened = jacspec(tmp_path, "sharpen", "my_bound.py", "--evaluations", "60")
    assert sharpened.returncode == 0, sharpened.stderr
    assert "Next: jacspec sharpen my_bound.py --save" in sharpened.stdout
    on_data = jacspec(tmp_path, "verify", "my_bound.py", "--data", "sphere:n=1,d=3")
    assert on_data.returncode == 5
    assert "n = 1 row" in on_data.stdout


def test_a_false_claim_is_violated_and_its_command_reproduces_it(tmp_path: Path) -> None:
    written(tmp_path, "my bound.py", ("longest_row(instance, m) * norm", "longest_row(instance, m) * norm * 0.99"))
    done = jacspec(tmp_path, "verify", "my bound.py", "--json")
    assert done.returncode == 1
    sharp = json.loads(done.stdout)["claims"][0]["variants"][1]
    assert (sharp["verdict"], sharp["reason"]) == ("VIOLATED", "confirmed with 60 digits")
    import shlex

    words = shlex.split(sharp["reproduce"])
    assert words[:3] == ["jacspec", "verify", "my bound.py"]
    again = jacspec(tmp_path, *words[1:])
    assert again.returncode == 1, again.stderr
    assert "VIOLATED" in again.stdout


def test_a_mutant_that_survives_is_an_error(tmp_path: Path) -> None:
    written(tmp_path, "my_bound.py", ("sharp.right * 0.999", "sharp.right * 1.001"))
    done = jacspec(tmp_path, "verify", "my_bound.py", "--mutants", "--examples", "60")
    assert done.returncode == 1
    assert "mutant twin SURVIVES" in done.stdout
    assert "1 of 2 mutants refuted" in done.stdout


def test_a_form_that_is_decided_too_seldom_is_below_its_floor(tmp_path: Path) -> None:
    written(tmp_path, "my_bound.py", ("return None if n > 1 else", "return None if n == 3 else"))
    plain = jacspec(tmp_path, "verify", "my_bound.py", "--examples", "60")
    strict = jacspec(tmp_path, "verify", "my_bound.py", "--examples", "60", "--mutants")
    assert (plain.returncode, strict.returncode) == (0, 1)
    for done in (plain, strict):
        assert "below its floor: my-bound (sharp) holds, but was decided on" in " ".join(done.stdout.split())


def test_a_claim_without_mutants_and_mutants_beside_data(tmp_path: Path) -> None:
    source = TEMPLATE.replace("    mutants=(\n", "    extremal_=(\n")
    assert source != TEMPLATE
    start, end = source.index("    extremal_=("), source.index("    # Always run")
    (tmp_path / "bare.py").write_text(source[:start] + source[end:], encoding="utf-8")
    bare = jacspec(tmp_path, "verify", "bare.py", "--mutants", "--examples", "5")
    assert "my-bound has no mutants: nothing shows" in bare.stdout
    assert "Next: jacspec sharpen bare.py" in bare.stdout
    written(tmp_path)
    on_data = jacspec(tmp_path, "verify", "my_bound.py", "--mutants", "--data", "sphere:n=5,d=3", "--examples", "5")
    assert on_data.returncode == 0, on_data.stderr
    assert "Mutants were tried on drawn instances" in on_data.stdout


WRONG_SIDES = {
    "name": (
        ('"simple": Sides', '"simpel": Sides'),
        "'simpel'; expected names among simple, sharp; did you mean 'simple'",
    ),
    "tuple": (('"simple": Sides(', '"simple": ('), r"expected Sides\(left, right\) for simple"),
    "pair": (("    return {\n", "    return Sides(1, 2), {\n"), "expected a dictionary of Sides by name"),
    "yes or no": (
        ("    n = len(instance", "    return True\n    n = len(instance"),
        "assumption 'at least two rows': got True",
    ),
    "mutant": (('{"mutant": Sides(square', '{"without-X": Sides(square'), "mutant without-X return: got 'without-X'"),
}


@pytest.mark.parametrize("name", WRONG_SIDES)
def test_sides_that_return_something_else_are_named(name: str, tmp_path: Path) -> None:
    from verification.own_claims import blamed
    from verification.verify import Options, verify_claim

    change, expected = WRONG_SIDES[name]
    path = str(written(tmp_path, "mine.py", change))
    with pytest.raises(ClaimError, match=expected) as caught, blamed(path):
        verify_claim(load_own(path), Options(examples=20, mutants=name == "mutant"))
    assert path in str(caught.value)


def test_arrays_that_missed_the_arithmetic_are_explained() -> None:
    import numpy as np

    from jacspec import activation
    from verification.arithmetic import Multiprecision
    from verification.own_claims import blamed

    wanted = r"m\.matrix\(\.\.\.\) of every array"
    with pytest.raises(ClaimError, match=wanted), blamed("mine.py"):
        Multiprecision(60).evaluate(activation("tanh"), "dphi", np.ones((1, 1)))


def test_several_claims_in_one_file_and_in_processes(tmp_path: Path) -> None:
    second = 'from dataclasses import replace\nCLAIMS = (CLAIM, replace(CLAIM, id="other-bound"))\nif __name__'
    written(tmp_path, "both.py", ("if __name__", second))
    arguments = ["verify", "both.py", "schur-bounds", "--examples", "10", "--json", "--jobs"]
    one, two = (json.loads(jacspec(tmp_path, *arguments, jobs).stdout)["claims"] for jobs in "12")
    assert [c.get("file", c["id"]) for c in one] == ["both.py::my-bound", "both.py::other-bound", "schur-bounds"]
    for claim in (*one, *two):
        del claim["seconds"]
    assert one == two
    several = jacspec(tmp_path, "sharpen", "both.py")
    assert several.returncode == 2
    assert "both.py::my-bound, both.py::other-bound" in several.stderr
    assert jacspec(tmp_path, "claims", "both.py::other-bound").returncode == 0


# -- what can be wrong ----------------------------------------------------------------------------------------------

BROKEN = {
    "no claim": ("x = 1\n", "defines CLAIM"),
    "syntax": ("x = 1\ny = (\n", r"valid Python \(line 2: "),
    "import": ("x = 1\nimport no_such_module\n", r"line 2: ModuleNotFoundError: No module named 'no_such_module'"),
    "exit": ("raise SystemExit(3)\n", "line 1: SystemExit: 3"),
    "a string": ("CLAIM = 'x <= y'\n", r"CLAIM: got 'x <= y'; expected a Claim"),
    "no tuple": ("CLAIMS = 3\n", "expected a tuple of claims"),
    "empty": ("CLAIMS = ()\n", "at least one claim"),
}
CHANGED = {
    "built-in id": (('id="my-bound"', 'id="schur-bounds"'), "id that no built-in claim has"),
    "bad id": (('id="my-bound"', 'id="My Bound"'), "small letters"),
    "kind": (("kind=Kind.UPPER", 'kind="upper"'), "kind: got .*expected a Kind"),
    "comma": (("(Assumption(", "Assumption("), None),
    "floor": (("floor=0.9", "floor=90"), "share between 0 and 1"),
    "field": (("floor=0.9", "flor=0.9"), r"line \d+: TypeError: .*flor"),
    "same id": (("if __name__", "import copy\nCLAIMS = (CLAIM, copy.copy(CLAIM))\nif __name__"), "distinct ids"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(name: str, tmp_path: Path) -> None:
    source, expected = BROKEN[name]
    path = tmp_path / "mine.py"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(ClaimError, match=expected) as caught:
        load_file(str(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", CHANGED)
def test_a_claim_with_a_wrong_field_is_named(name: str, tmp_path: Path) -> None:
    change, expected = CHANGED[name]
    if expected is None:  # the comma of a tuple of one
        change, expected = (("one_row),),", "one_row)),"), "mind the comma")
    path = written(tmp_path, "mine.py", change)
    with pytest.raises(ClaimError, match=expected) as caught:
        load_file(str(path))
    assert str(path) in str(caught.value)


def test_errors_on_the_command_line(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, "twice.py")
    written(tmp_path, "raises.py", ('instance["X"])\n    square', 'instance["Y"])\n    square'))
    cases = {
        ("verify", "my_bond.py"): "did you mean 'my_bound.py'?",
        ("verify", "my_bound"): "did you mean 'my_bound.py'?",
        ("verify", "./my_bound.txt"): "a Python file (.py)",
        ("verify", "my_bound.py", "twice.py"): "my_bound.py has this one too",
        ("verify", "raises.py"): "raises.py: got line 23: KeyError: 'Y'",
        ("verify", "raises.py", "schur-bounds", "--jobs", "2", "--examples", "5"): "raises.py: got line 23: KeyError",
        ("sharpen", "raises.py", "--evaluations", "20"): "raises.py: got line 23: KeyError: 'Y'",
        ("claims", "my_bound.py::other"): "one of my_bound.py::my-bound",
        ("verify", "my_bound.py", "--mutants", "--instance", "n=3"): "--mutants: got it with --instance",
        ("new-claim", "my-bound"): "--force",
        ("new-claim", "schur_bounds"): "a name that no claim has",
        ("new-claim", "random"): "no word or package of Python",
        ("new-claim", "lambda"): "no word or package of Python",
        ("new-claim", "a b"): "small letters",
    }
    for arguments, expected in cases.items():
        done = jacspec(tmp_path, *arguments)
        assert done.returncode == 2, (arguments, done)
        assert len(done.stderr.splitlines()) == 1
        assert expected in done.stderr, done.stderr
    assert jacspec(tmp_path, "new-claim", "my-bound", "--force", "-q").stdout == "Wrote my_bound.py.\n"


def test_an_error_survives_a_process_border() -> None:
    error = ClaimError("my_bound.py", "KeyError", "something else")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.expected) == (ClaimError, str(error), "something else")


# -- loading --------------------------------------------------------------------------------------------------------


def test_an_edit_within_a_second_is_seen_and_the_same_content_is_one_object(tmp_path: Path) -> None:
    path = str(written(tmp_path))
    (first,) = load_file(path)
    assert load_file(path)[0] is first
    written(tmp_path, "my_bound.py", ("floor=0.9", "floor=0.8"))
    assert load_file(path)[0].floor == 0.8


def test_a_file_of_this_package_is_the_claim_of_this_package() -> None:
    from verification.claims import load

    path = str(ROOT / "verification" / "claims" / "schur_bounds.py")
    assert load_file(path) == (load("schur-bounds"),)
    assert expand("schur-bounds") == ["schur-bounds"]


def test_a_file_may_import_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_mine.py").write_text("FLOOR = 0.25\n", encoding="utf-8")
    path = written(tmp_path, "mine.py", ("floor=0.9", "floor=__import__('neighbour_of_mine').FLOOR"))
    assert load_own(str(path)).floor == 0.25


# -- claims of other packages ---------------------------------------------------------------------------------------


def package(folder: Path, name: str, entries: dict[str, str]) -> Path:
    """A package as pip leaves it: a module with the template in it, and its metadata."""
    folder.mkdir()
    written(folder, f"{name}.py")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = ["[jacspec.claims]", *(f"{slug} = {value}" for slug, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_claims_of_an_installed_package_are_found(tmp_path: Path) -> None:
    theirs = package(tmp_path / "site", "their_lemmas", {"my-bound": "their_lemmas:CLAIM"})
    done = run([*COMMAND, "verify", "my_bound", "schur-bounds", "--examples", "5", "--jobs", "2"], tmp_path, theirs)
    assert done.returncode == 0, done.stderr
    assert "my-bound" in done.stdout
    last = "from verification.claims import SLUGS, claims; assert list(claims()) == [*SLUGS, 'my-bound']"
    assert run([sys.executable, "-c", last], tmp_path, theirs).returncode == 0


WRONG_ENTRIES = {
    "duplicate": ({"schur-bounds": "their_lemmas:CLAIM"}, "an id that no built-in claim has"),
    "missing": ({"my-bound": "no_such_lemmas:CLAIM"}, "ModuleNotFoundError"),
    "no claim": ({"my-bound": "their_lemmas:sides"}, "a Claim, or a module"),
    "another name": ({"your-bound": "their_lemmas:CLAIM"}, "the name of its entry point"),
}


@pytest.mark.parametrize("name", WRONG_ENTRIES)
def test_a_wrong_entry_point_names_its_package_and_hurts_no_built_in_claim(name: str, tmp_path: Path) -> None:
    entries, expected = WRONG_ENTRIES[name]
    theirs = package(tmp_path / "site", "their_lemmas", entries)
    done = run([*COMMAND, "claims"], tmp_path, theirs)
    assert done.returncode == 2
    assert "their_lemmas (" in done.stderr
    assert expected in done.stderr
    assert run([*COMMAND, "claims", "schur-bounds"], tmp_path, theirs).returncode == 0


def test_two_packages_with_one_id(tmp_path: Path) -> None:
    first = package(tmp_path / "a", "lemmas_a", {"my-bound": "lemmas_a:CLAIM"})
    second = package(tmp_path / "b", "lemmas_b", {"my-bound": "lemmas_b:CLAIM"})
    done = run([*COMMAND, "claims"], tmp_path, first, second)
    assert done.returncode == 2
    assert "lemmas_b (lemmas_b:CLAIM): got 'my-bound'" in done.stderr
    assert "lemmas_a (lemmas_a:CLAIM) has this one too" in done.stderr
