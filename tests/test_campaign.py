"""`jacspec campaign`: blocks of random enclosures, what is counted, what is caught, and what is resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jacspec import InputError
from verification import campaign as room
from verification.campaign import CASES, Log, campaign, draw, plan, run_block
from verification.claims import SLUGS, enclosed_smallest_singular_value, load
from verification.cli import main
from verification.hard_matrices import MORE_KINDS, MORE_SYMMETRIC_KINDS, hard_matrix, symmetric_matrix
from verification.oracle import Spectrum, exact

FEW = dict.fromkeys(CASES, 2)
SINGULAR = "enclosed-smallest-singular-value"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for slug, cases in FEW.items():
        monkeypatch.setitem(CASES, slug, cases)


def test_every_claim_about_an_enclosure_takes_part() -> None:
    assert set(CASES) == {slug for slug in SLUGS if slug.startswith("enclosed-")}


@pytest.mark.parametrize("slug", list(CASES))
def test_a_block_holds_and_is_a_function_of_its_name(slug: str) -> None:
    first = run_block(slug, 3, 1, 40)
    assert not first.escapes
    assert first.cases == 40
    assert max(first.statements.values()) > 10
    assert max(first.largest.values()) > 0.1  # errors are seen, so bounds are tried
    assert first == run_block(slug, 3, 1, 40)
    assert run_block(slug, 3, 1, 8) != run_block(slug, 3, 2, 8)


@pytest.mark.parametrize("slug", list(CASES))
def test_what_is_not_a_number_is_refused_wherever_it_stands(slug: str) -> None:
    rng = np.random.default_rng(6)
    for _ in range(12):
        instance = load(slug).domain.build(draw(slug, rng), 0)
        poisoned = room._poisoned(instance, rng)
        assert not all(np.isfinite(array).all() for array in poisoned.arrays.values())
        room._CALLS[slug](instance)
        with pytest.raises(InputError, match="finite"):
            room._CALLS[slug](poisoned)


def test_sizes_reach_forty_and_most_are_small() -> None:
    rng = np.random.default_rng(0)
    sizes = np.array([int(draw("enclosed-gram", rng)["n"]) for _ in range(5000)])
    assert sizes.min() == 1
    assert sizes.max() > 35
    assert np.mean(sizes <= 5) > 0.9


def test_singular_matrices_are_counted() -> None:
    assert run_block(SINGULAR, 0, 0, 60).singular > 5
    D = hard_matrix(3, 5, "dependent", 0, 0, np.random.default_rng(2))
    assert exact(D).rank() == 2


@pytest.mark.parametrize("kind", MORE_KINDS)
def test_kinds_that_only_a_campaign_draws(kind: str) -> None:
    for n, m in ((1, 1), (1, 4), (4, 1), (3, 5)):
        A = hard_matrix(n, m, kind, 3, 0, np.random.default_rng(1))
        assert A.shape == (n, m)
        assert np.isfinite(A).all()
    if kind == "neighbour":
        assert np.count_nonzero(A[1] != A[0]) == 1


@pytest.mark.parametrize("kind", MORE_SYMMETRIC_KINDS)
def test_symmetric_kinds_that_only_a_campaign_draws(kind: str) -> None:
    for n in (1, 4):
        S = symmetric_matrix(n, kind, 3, 0, np.random.default_rng(1))
        assert np.array_equal(S, S.T)
        Spectrum(exact(S))


def _halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A smallest singular value whose radius is too small."""
    from dataclasses import replace

    right = enclosed_smallest_singular_value.smallest_singular_value

    def wrong(A: Any, rad: Any = None) -> Any:
        found = right(A, rad)
        return found if found.exact_zero else replace(found, radius=0.3 * found.radius)

    monkeypatch.setattr(enclosed_smallest_singular_value, "smallest_singular_value", wrong)


def test_an_unsound_bound_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    _halved(monkeypatch)
    assert len(run_block(SINGULAR, 0, 0, 60).escapes) > 5


def test_data_that_are_not_numbers_must_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(room._CALLS, SINGULAR, lambda instance: None)
    block = run_block(SINGULAR, 0, 0, 60)
    assert block.refused == 0
    assert all(escape.startswith("accepted: ") for escape in block.escapes)
    assert block.escapes


@pytest.mark.usefixtures("small_blocks")
def test_a_campaign_is_resumed_and_does_not_depend_on_the_processes(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    whole = {(b.slug, b.number): b for b in campaign(Log(str(path), 5), 40, 5)}
    assert list(whole) == list(plan(40))
    assert sum(b.cases for b in whole.values()) == 44
    text = path.read_bytes()
    path.write_bytes(text[: len(text) // 2])  # killed in the middle of a line
    kept = Log(str(path), 5)
    assert 0 < len(kept.blocks) < len(whole)
    rest = [(b.slug, b.number) for b in campaign(kept, 40, 5, jobs=2)]
    assert len(rest) == len(whole) - (len(kept.blocks) - len(rest))
    assert Log(str(path), 5).blocks == kept.blocks == whole
    assert list(campaign(kept, 40, 5)) == []


@pytest.mark.usefixtures("small_blocks")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "log.jsonl")
    assert main(["campaign", "--cases", "20", "--log", path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "jacspec.campaign/1"
    assert sum(claim["cases"] for claim in found["claims"]) == 22
    assert main(["campaign", "--cases", "20", "--log", path]) == 0
    assert "22 cases (seed 0)" in capsys.readouterr().out
    assert main(["campaign", "--log", path, "--seed", "1"]) == 2
    assert "the log of a campaign with" in capsys.readouterr().err
    monkeypatch.setitem(CASES, SINGULAR, 40)
    _halved(monkeypatch)
    bad = str(tmp_path / "bad.jsonl")
    for _ in range(2):  # an escape stays one
        assert main(["campaign", "--cases", "400", "--log", bad]) == 1
        out = capsys.readouterr().out
        (line, *_) = (line for line in out.splitlines() if line.startswith("ESCAPE enclosed: "))
        assert f"jacspec verify {SINGULAR} --instance " in line
    command = line.partition("jacspec ")[2].split(" ", 3)
    assert main(command) == 1


@pytest.mark.parametrize("text", ["no JSON\n", "[]\n", '{"format": "jacspec.sweep/1"}\n'])
def test_files_that_are_no_logs_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="--log"):
        Log(str(path), 0)
    assert path.read_text() == text
