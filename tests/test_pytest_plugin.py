"""The pytest plugin, found by its entry point as an installed package's is, in processes of its own."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest_plugins = "pytester"

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = (ROOT / "verification" / "claims" / "_template.py").read_text(encoding="utf-8")

#: Beside the template's claim (true, two forms, two mutants): a false one, one that says nothing, one with a mutant
#: that is true, one decided too seldom, one whose code fails.
SEVERAL = """
from dataclasses import replace
from verification.claim import Assumption

def below(instance, m):
    pair = sides(instance, m)["sharp"]
    return {"sharp": Sides(pair.left, pair.right * 0.99)}

def above(instance, m):
    pair = sides(instance, m)["sharp"]
    return {"mutant": Sides(pair.left, pair.right * 1.01)}

def raises(instance, m):
    return instance["Y"]

SHARP = CLAIM.variants[1:]
FEW = Assumption("n = 3", lambda i: None if len(i["X"]) == 3 else f"n = {len(i['X'])} is not 3")
NONE = Assumption("false", lambda i: "nothing is like this")
bare = replace(CLAIM, mutants=(), variants=SHARP)
CLAIMS = (
    CLAIM,
    replace(bare, id="false", sides=below),
    replace(bare, id="vacuous", assumptions=(NONE,)),
    replace(CLAIM, id="weak", variants=SHARP, mutants=(Mutant("true", "1.01 times as much", above),)),
    replace(bare, id="seldom", assumptions=(FEW,)),
    replace(bare, id="raises", sides=raises),
)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, plugin_site: Path) -> pytest.Pytester:
    """An empty project in an environment where this package's pytest11 entry point is installed."""
    paths = [str(plugin_site), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.delenv(name, raising=False)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:benchmark", *arguments)


def test_each_form_and_mutant_is_an_item_with_its_verdict(project: pytest.Pytester) -> None:
    (project.path / "mine.py").write_text(TEMPLATE + SEVERAL, encoding="utf-8")
    done = run(project, "--jacspec", "mine.py", "-v", "-rs", "--jacspec-examples", "30", "--junitxml", "out.xml")
    done.assert_outcomes(passed=5, failed=4, skipped=1)
    done.stdout.fnmatch_lines(
        [
            "mine.py::my-bound::simple PASSED*",
            "mine.py::my-bound::mutant?twin? PASSED*",
            "mine.py::false::sharp FAILED*",
            "mine.py::vacuous::sharp SKIPPED*",
            "*_ false (sharp) _*",
            "false (sharp) is VIOLATED: confirmed with 60 digits",
            "  left  *",
            "  on    n=*",
            "  reproduce: jacspec verify mine.py::false --instance 'n=*'",
            "weak: mutant true SURVIVES (HOLDS)",
            "seldom (sharp) holds, but was decided on * of * instances only, and floor=0.9 asks for * is not 3)",
            "mine.py::raises: got line *: KeyError: 'Y'; expected a claim that can be computed *",
            "SKIPPED * vacuous (sharp) is VACUOUS: nothing is like this",
        ]
    )
    cases = ElementTree.parse(project.path / "out.xml").getroot().iter("testcase")
    found = {
        (c.get("classname"), c.get("name")): {p.get("name"): p.get("value") for p in c.iter("property")} for c in cases
    }
    assert found["mine.my-bound", "sharp"] == {"verdict": "HOLDS", "decided": "31/31"}
    assert found["mine.weak", "mutant[true]"] == {"verdict": "HOLDS"}
    assert not (project.path / "__pycache__").exists()  # it was not imported as a test module

    (line,) = (line for line in done.outlines if "reproduce:" in line)
    words = shlex.split(line.partition("jacspec ")[2])
    again = project.run(sys.executable, "-c", "from verification.cli import run; run()", *words)
    assert again.ret == 1
    again.stdout.fnmatch_lines(["*false (sharp): VIOLATED*"])


def test_selection_and_workers(project: pytest.Pytester) -> None:
    (project.path / "mine.py").write_text(TEMPLATE, encoding="utf-8")
    done = run(project, "--jacspec", "mine.py", "-n", "2", "-k", "sharp or twin", "--jacspec-examples", "40")
    done.assert_outcomes(passed=2)


def test_files_by_pattern_beside_tests_and_what_is_wrong_with_them(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\njacspec_files = *_claims.py\naddopts = --strict-markers --strict-config -W error\n")
    (project.path / "my_claims.py").write_text(TEMPLATE, encoding="utf-8")
    (project.path / "other.py").write_text(TEMPLATE, encoding="utf-8")
    (project.path / "broken_claims.py").write_text("import no_such_module\n", encoding="utf-8")
    (project.path / "test_mine.py").write_text("CLAIM = 'a word'\ndef test(): pass\n", encoding="utf-8")
    done = run(project, "--collect-only", "-q")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["my_claims.py::my-bound::simple", "test_mine.py::test"])
    done.stdout.fnmatch_lines(
        ["FILE: got '*broken_claims.py'; expected a file that runs (line 1: ModuleNotFoundError:*"]
    )
    done.stdout.no_fnmatch_line("other.py*")
    done.stdout.no_fnmatch_line("*Traceback*")
    empty = run(project, "--jacspec", "other.py", "test_mine.py", "--collect-only", "-q")
    empty.stdout.fnmatch_lines(["other.py::my-bound::mutant?twin?", "test_mine.py::test"])
    empty.stdout.fnmatch_lines(["*test_mine.py: CLAIM: got 'a word'; expected a Claim*"])


def test_a_claim_that_is_named_but_not_asked_for_is_told_of(project: pytest.Pytester) -> None:
    project.makepyfile(mine=TEMPLATE, test_mine="CLAIM = 3\ndef test_it():\n    pass")
    done = run(project, "mine.py", "test_mine.py")
    done.stdout.fnmatch_lines(["mine.py holds a claim, which `pytest --jacspec mine.py` checks."])
    assert "test_mine.py holds" not in done.stdout.str()
    assert "holds a claim" not in run(project).stdout.str()


def test_bad_options(project: pytest.Pytester) -> None:
    done = run(project, "--jacspec-examples", "many")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: --jacspec-examples: got 'many'; expected an integer from 1 to 10000000"])


FIXTURE = """
import sys

def test_nothing_is_loaded_for_people_who_do_not_use_it():
    assert "verification.pytest_plugin" in sys.modules
    assert not {"jacspec", "numpy", "scipy", "numba", "mpmath", "flint", "rich"} & set(sys.modules)

def test_own(jacspec_check):
    report = jacspec_check("mine.py::my-bound", examples=40)
    assert [m.refuted for m in report.mutants] == [True, True]

def test_built_in(jacspec_check):
    report = jacspec_check("schur-bounds", examples=5, mutants=False)
    assert report.mutants == ()
    assert {v.verdict.value for v in report.variants} == {"HOLDS"}

def test_false(jacspec_check):
    jacspec_check("mine.py::false", examples=40)

def test_weak(jacspec_check):
    jacspec_check("mine.py::weak", examples=40)

def test_vacuous(jacspec_check):
    jacspec_check("mine.py::vacuous", examples=40)

def test_no_claim(jacspec_check):
    jacspec_check(3)
"""


def test_the_fixture_and_what_it_costs_not_to_use_it(project: pytest.Pytester) -> None:
    (project.path / "mine.py").write_text(TEMPLATE + SEVERAL, encoding="utf-8")
    (project.path / "test_mine.py").write_text(FIXTURE, encoding="utf-8")
    done = run(project, "-p", "no:hypothesispytest", "-rs")
    done.assert_outcomes(passed=3, failed=3, skipped=1)
    done.stdout.fnmatch_lines(
        [
            "false (sharp) is VIOLATED: confirmed with 60 digits",
            "  reproduce: jacspec verify mine.py::false --instance *",
            "weak: mutant true SURVIVES (HOLDS)",
            "E *InputError: claim: got 3; expected a Claim, the slug of one, or the path of a file with one",
            "SKIPPED * vacuous is VACUOUS: nothing is like this",
        ]
    )
