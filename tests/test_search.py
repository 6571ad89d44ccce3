"""The sharpness search: gradients, power, determinism, and that what it reports has been judged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from jacspec import InputError
from verification.arithmetic import Arithmetic
from verification.claim import Claim, Mutant, Sides, Verdict, check
from verification.claims import load
from verification.cli import main
from verification.differentiable import Differentiable, Traced, gradients
from verification.instances import Instance, build_psd
from verification.search import METHODS, SearchOptions, load_witness, save_witness, sharpen

RNG = np.random.default_rng(0)
A, B, v = RNG.standard_normal((3, 4)), RNG.standard_normal((3, 2)), RNG.standard_normal(4)


def counted(evaluations: int, **more: Any) -> SearchOptions:
    return SearchOptions(seconds=None, evaluations=evaluations, **more)


def twin(name: str, factor: float = 0.999) -> Callable[[Claim], Claim]:
    """The claim with one variant's larger side off by one part in 1,000."""

    def of(claim: Claim) -> Claim:
        assert claim.sides is not None
        own = claim.sides

        def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
            side = own(instance, m)[name]
            return {"mutant": Sides(side.left, side.right * factor)}

        return claim.mutated(Mutant(f"{name}-twin", "off by one part in 1,000", sides))

    return of


# -- the tape -------------------------------------------------------------------------------------------------------

M = Differentiable()
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum, product, power": lambda x: (x * 2.0 + 1.0 - x / 3.0).sum() ** 2,
    "broadcast": lambda x: (x * v * x[:, :1] - x[0]).sum(),
    "right operand": lambda x: (1.0 / (np.asarray(A) - x * 5) + (2.0 - x)).sum(),
    "matmul": lambda x: ((x @ A.T) @ (A @ x.T)).sum(),
    "vectors": lambda x: (x[0] @ x[1]) * (v @ x[2]) + (x @ v).sum(),
    "spectral norm": lambda x: M.spectral_norm(x),
    "sigma min": lambda x: M.sigma_min(x),
    "eigenvalues": lambda x: M.eigenvalues(x @ x.T)[0] * M.eigenvalues(x @ x.T)[1] ** 2,
    "norm": lambda x: M.norm(x[1:]),
    "rows": lambda x: M.maximum(M.row_norms(x)) / M.minimum(M.row_norms(x)),
    "khatri-rao": lambda x: M.spectral_norm(M.khatri_rao(x, M.matrix(B))),
    "jacobian": lambda x: M.spectral_norm(M.jacobian(x, M.matrix(A), M.matrix(v[:3]), activation_("gelu"))),
    "phi": lambda x: M.evaluate(activation_("silu"), "phi", x).sum(),
    "ufuncs": lambda x: np.sum(np.sqrt(np.abs(x)) + np.exp(-np.square(x)) * np.maximum(x, 0.1) - np.log(np.abs(x))),
    "joining": lambda x: M.spectral_norm(np.vstack([x, x[:1] * 2])) + np.stack([x[0], x[1]])[0, 1],
    "diagonals": lambda x: np.trace(x @ x.T) + M.norm(np.diag(x @ x.T)) + M.norm(np.diag(x[0]) @ x.T),
    "extremes": lambda x: np.max(x) - np.min(x) + np.outer(x[0], x[1]).sum(),
}


def activation_(name: str) -> Any:
    from jacspec import activation

    return activation(name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_agree_with_differences(name: str) -> None:
    function, at, h = FUNCTIONS[name], RNG.standard_normal((3, 4)), 1e-6
    leaf = Traced(at, leaf=True)
    (g,) = gradients(function(leaf), [leaf])
    assert g.shape == at.shape
    for i, j in np.ndindex(*at.shape):
        step = np.zeros_like(at)
        step[i, j] = h
        slope = (float(function(Traced(at + step))) - float(function(Traced(at - step)))) / (2 * h)
        assert abs(g[i, j] - slope) <= 1e-6 * (1 + abs(slope) + np.max(np.abs(g)))


def test_multiple_singular_values_give_the_mean_subgradient() -> None:
    leaf = Traced(np.eye(3), leaf=True)
    (g,) = gradients(M.spectral_norm(leaf), [leaf])
    np.testing.assert_allclose(g, np.eye(3) / 3, atol=1e-15)


def test_structural_zeros_and_constants_have_no_gradient() -> None:
    leaf = Traced(np.ones((3, 2)), leaf=True)
    assert float(M.sigma_min(leaf)) == 0
    assert np.all(gradients(M.sigma_min(leaf), [leaf])[0] == 0)
    assert float(M.eigenvalues(Traced(np.ones((3, 3))))[0]) == 0
    assert float(M.norm(Traced(np.zeros(3)))) == 0


def test_a_plain_number_equal_to_the_largest_entry_is_that_entry() -> None:
    u = np.array([0.25, -0.75, 0.5])
    m = Differentiable({"v": u})
    (g,) = gradients(m.number(float(np.max(np.abs(u)))), [m.leaves["v"]])
    np.testing.assert_array_equal(g, [0, -1, 0])


# -- power ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("methods", [METHODS, ("random", "l-bfgs"), ("l-bfgs",)])
def test_jacobian_lipschitz_is_tight_even_without_its_extremal_instances(methods: tuple[str, ...], seed: int) -> None:
    claim = load("jacobian-lipschitz")
    report = sharpen(replace(claim, extremal=()), counted(2500, seed=seed, methods=methods))
    for variant in report.variants:
        assert variant.verdict is Verdict.HOLDS
        assert variant.slack is not None
        assert 1 - 1e-15 <= variant.slack < 1.0001, variant.name
        assert variant.tight


def test_jacobian_lipschitz_optimal_is_attained() -> None:
    for variant in sharpen(load("jacobian-lipschitz-optimal"), counted(30)).variants:
        assert variant.slack is not None
        assert variant.slack < 1.0001, variant.name


#: Positive semidefinite pairs without structure, so that nothing attains Schur's bounds by construction.
def plain_schur() -> Claim:
    sizes = {"n": st.integers(4, 6), "p": st.integers(4, 6), "q": st.integers(4, 6), "seed": st.integers(0, 10**6)}
    specs = st.fixed_dictionaries(sizes | {"kind": st.just("gaussian")})
    claim = load("schur-bounds")
    domain = replace(claim.domain, specs=lambda: specs, build=build_psd)
    return replace(claim, domain=domain, extremal=())


def test_a_twin_off_by_a_thousandth_falls_to_the_optimiser_and_not_to_random_search() -> None:
    false = twin("upper")(plain_schur())
    (by_descent,) = sharpen(false, counted(3000, methods=("l-bfgs",))).variants
    assert by_descent.verdict is Verdict.VIOLATED
    assert by_descent.slack is not None
    assert 0.9989 < by_descent.slack < 1
    (by_chance,) = sharpen(false, counted(1500, methods=("random",))).variants
    assert by_chance.verdict is Verdict.HOLDS


@pytest.mark.parametrize("name", ["paper", "sharp"])
def test_planted_twins_are_refuted(name: str) -> None:
    false = twin(name)(load("jacobian-lipschitz"))
    for claim in (false, replace(false, extremal=())):
        report = sharpen(claim, counted(4000))
        assert report.variants[0].verdict is Verdict.VIOLATED
        assert report.variants[0].instance is not None
        assert check(claim, report.variants[0].instance)["mutant"].verdict is Verdict.VIOLATED


def test_sides_that_cannot_be_differentiated_move_by_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = twin("upper")(plain_schur())
    own = claim.sides
    assert own is not None

    def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        if isinstance(m, Differentiable):
            raise TypeError("no tape here")
        return own(instance, m)

    report = sharpen(replace(claim, sides=sides), counted(6000))
    assert any("differences" in note for note in report.notes)
    assert report.variants[0].verdict is Verdict.VIOLATED


def test_wrong_gradients_are_noticed() -> None:
    claim = plain_schur()
    own = claim.sides
    assert own is not None

    def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        side = own(replace(instance, arrays={**instance.arrays, "FQ": instance["FQ"] * 1.0}, cache={}), m)
        return {"upper": side["upper"]}  # the copy of FQ is unknown to the tape

    report = sharpen(replace(claim, sides=sides, variants=claim.variants[1:]), counted(200))
    assert report.notes == ("gradients come from differences for FQ in 'upper'",)


# -- what is reported -----------------------------------------------------------------------------------------------


def document(report: Any) -> dict[str, Any]:
    return {**report.to_json(), "seconds": 0}


def test_the_same_seed_and_evaluations_give_the_same_report_and_a_shorter_run_is_a_prefix() -> None:
    claim = load("khatri-rao-spectrum")
    claim = replace(claim, extremal=())
    one, two = (document(sharpen(claim, counted(600, seed=5))) for _ in "ab")
    assert one == two
    assert document(sharpen(claim, counted(600, seed=6))) != one
    last = max(v["evaluation"] for v in one["variants"])
    shorter = document(sharpen(claim, counted(last, seed=5)))
    for v, w in zip(one["variants"], shorter["variants"], strict=True):
        assert (v["min_slack"], v["arrays"], v["evaluation"]) == (w["min_slack"], w["arrays"], w["evaluation"])


def test_moved_instances_keep_unit_rows_and_drop_words_that_no_longer_describe_them() -> None:
    report = sharpen(replace(load("jacobian-lipschitz"), extremal=()), counted(400, methods=("l-bfgs",)))
    for variant in report.variants:
        assert variant.instance is not None
        assert "rows" not in variant.instance.spec
        assert np.max(np.abs(np.linalg.norm(variant.instance["X"], axis=1) - 1)) < 4e-16


def test_an_interrupted_search_reports_what_it_has() -> None:
    calls = 0

    def tick(done: float, method: str) -> None:
        nonlocal calls
        calls += 1
        if calls > 100:
            raise KeyboardInterrupt

    report = sharpen(load("schur-bounds"), SearchOptions(), tick)
    assert report.interrupted
    assert all(v.slack is not None for v in report.variants)


def test_without_cma_the_search_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verification.search.portfolio.find_spec", lambda name: None)
    report = sharpen(plain_schur(), counted(400, methods=("cma",)))
    assert report.notes[0].endswith("pip install 'jacspec[search]'")
    assert report.by_method["nelder-mead"] > 100


@pytest.mark.parametrize("slug", ["jacobian-formula", "initial-misfit", "initial-jacobian-mean"])
def test_kinds_without_slack_are_refused(slug: str) -> None:
    with pytest.raises(InputError, match=r"has no slack|is not searched"):
        sharpen(load(slug))


def test_a_method_without_anything_to_do_ends() -> None:
    claim = replace(load("schur-bounds"), extremal=())
    assert sharpen(claim, counted(10**6, methods=("extremal",))).evaluations < 1000


def test_a_witness_is_saved_bit_for_bit(tmp_path: Path) -> None:
    claim = load("jacobian-lipschitz")
    report = sharpen(replace(claim, extremal=()), counted(500))
    variant = report.variants[1]
    path = str(tmp_path / "w.npz")
    save_witness(path, claim.id, variant)
    instance = load_witness(path, claim)
    assert variant.instance is not None
    assert all(np.array_equal(instance[name], array) for name, array in variant.instance.arrays.items())
    assert check(claim, instance)["sharp"].slack == variant.slack
    with pytest.raises(InputError, match="jacobian-lipschitz"):
        load_witness(path, load("schur-bounds"))
    (tmp_path / "bad.npz").write_text("no")
    with pytest.raises(InputError, match="--save"):
        load_witness(str(tmp_path / "bad.npz"), claim)


# -- the command ----------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["sharpen", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_command_json_table_and_witness(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "w.npz")
    code, out, _ = run(capsys, "schur-bounds", "--evaluations", "200", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["schema"] == "jacspec.sharpen/1"
    for variant in found["variants"]:
        assert variant["verdict"] == "HOLDS"
        assert variant["best_factor"] == pytest.approx(1 / variant["min_slack"])
        assert np.array(variant["arrays"]["FP"]).ndim == 2
    code, out, _ = run(capsys, "schur-bounds", "--evaluations", "60", "--save", path, "--variant", "lower")
    assert code == 0
    assert "tight" in out
    assert "the worst case of 'lower'" in " ".join(out.split())
    code, out, _ = run(capsys, "schur-bounds", "--witness", path, "--json")
    assert {r["variant"] for r in json.loads(out)["records"]} == {"lower", "upper"}
    assert code in (0, 5)


def test_command_reports_a_violation(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import verification.claims

    false = replace(twin("upper")(plain_schur()), id="schur-bounds")
    monkeypatch.setattr(verification.claims, "load", lambda slug: false)
    code, out, _ = run(capsys, "schur-bounds", "--evaluations", "3000")
    assert code == 1
    text = " ".join(out.split())
    assert "VIOLATED" in text
    assert "confirmed with 60 digits" in text
    command = text.split("reproduce: jacspec ")[1].split(" from")[0].split()
    assert command[0] == "sharpen"
    code, again, _ = run(capsys, *command[1:])
    assert code == 1
    assert next(line for line in out.splitlines() if "left" in line) in again


BAD = {
    "slug": (["schur-bound"], "schur-bounds"),
    "kind": (["initial-misfit"], "not searched"),
    "identity": (["jacobian-formula"], "identity"),
    "budget": (["schur-bounds", "--budget", "0"], "--budget"),
    "evaluations": (["schur-bounds", "--evaluations", "0"], "--evaluations"),
    "method": (["schur-bounds", "--method", "luck"], "luck"),
    "variant": (["schur-bounds", "--variant", "middle"], "lower, upper"),
    "witness": (["schur-bounds", "--witness", "nowhere.npz"], "nowhere.npz"),
    "folder": (["schur-bounds", "--save", "nowhere/w.npz"], "nowhere"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, word = BAD[name]
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert word in err


def test_loose_bounds_say_by_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "relu-separation", "--evaluations", "150", "--json")
    assert code == 0
    sharp = next(v for v in json.loads(out)["variants"] if v["name"] == "sharp")
    # Two rows at a small angle have lambda = delta / (2 pi), so 34 is off by 34 / (2 pi) = 5.41.
    assert sharp["min_slack"] == pytest.approx(34 / (2 * math.pi), rel=1e-3)
    assert not sharp["tight"]
