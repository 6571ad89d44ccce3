"""The claims about the primitives of jacspec.enclosure, and the exact oracle behind them."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from importlib import import_module
from types import FunctionType

import numpy as np
import pytest
from flint import arb, fmpq, fmpq_mat

from jacspec import Estimate, enclosure
from jacspec.enclosure import minimum_norm_solution
from verification import enclosed, hard_matrices, oracle
from verification.arithmetic import Multiprecision
from verification.campaign import run_block
from verification.claim import FLOAT64, Claim, Verdict, check
from verification.claims import SLUGS as ALL
from verification.claims import load
from verification.hard_matrices import KINDS, SYMMETRIC_KINDS
from verification.instances import Instance
from verification.oracle import Gap, Spectrum, located, rational
from verification.verify import Options, verify_claim

SLUGS = tuple(slug for slug in ALL if slug.startswith("enclosed-"))
MUTANTS = [(slug, mutant.name) for slug in SLUGS for mutant in load(slug).mutants]
#: Not statements of their own: constructors, a probe, and the slow second opinion.
NO_CLAIM = {"assumptions", "phi_ball", "symmetric_ball"}


def test_every_primitive_has_a_claim() -> None:
    functions = {name for name in enclosure.__all__ if isinstance(getattr(enclosure, name), FunctionType)}
    named = {load(slug).source.rsplit("jacspec.enclosure.", 1)[1] for slug in SLUGS}
    assert named == functions - NO_CLAIM


@pytest.mark.parametrize("slug", SLUGS)
def test_holds_and_is_decided_often_enough(slug: str, record_property: Callable[[str, object], None]) -> None:
    claim = load(slug)
    for variant in verify_claim(claim, Options(examples=100)).variants:
        assert variant.verdict is Verdict.HOLDS, variant
        assert variant.decided >= claim.floor * variant.instances, variant
        assert variant.decided + variant.vacuous == variant.instances, variant  # an exact oracle leaves no doubt
        assert variant.min_slack is not None
        record_property(f"error over bound: {variant.name}", 1 / variant.min_slack)
        assert variant.min_slack >= 1


@pytest.mark.parametrize(("slug", "name"), MUTANTS)
def test_false_neighbours_are_refuted(slug: str, name: str) -> None:
    claim = load(slug)
    (mutant,) = (m for m in claim.mutants if m.name == name)
    # The extremal instances are enough, so no seed matters.
    (found,) = verify_claim(claim.mutated(mutant), Options(examples=0)).variants
    assert found.verdict is Verdict.VIOLATED, found


@pytest.mark.parametrize("slug", ["enclosed-gram", "enclosed-largest-eigenvalue", "enclosed-activation"])
def test_the_same_seed_gives_the_same_report(slug: str) -> None:
    first, second = (verify_claim(load(slug), Options(examples=10, seed=7)).variants for _ in range(2))
    assert first == second


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if load(slug).domain.from_data is not None])
def test_on_a_users_rows(slug: str) -> None:
    X = np.random.default_rng(5).standard_normal((15, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load(slug), Options(X=X))
    assert {v.verdict for v in report.variants} == {Verdict.HOLDS}


# -- narrowness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_every_radius_is_promised_and_each_that_is_too_wide_is_refuted(slug: str) -> None:
    claim, module = load(slug), import_module(f"verification.claims.{slug.replace('-', '_')}")
    assert claim.variants[-1].name == enclosed.NARROW
    names = {name for spec in claim.extremal for name in module.widths(claim.domain.build(spec, 0))}
    mutants = {m.name.removeprefix("wide").removeprefix("-") or "enclosed" for m in claim.mutants if "wide" in m.name}
    assert mutants == names


def test_a_primitive_that_is_right_but_wide_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from verification.claims import enclosed_spectral_norm as module

    def wide(A: object, rad: object = None) -> Estimate:
        found = enclosure.spectral_norm(A, rad)
        return Estimate(found.value, 1e6 * found.radius, found.rigorous)

    monkeypatch.setattr(module, "spectral_norm", wide)
    verdicts = {v.name: v.verdict for v in verify_claim(module.CLAIM, Options(examples=0)).variants}
    assert verdicts == {"enclosed": Verdict.HOLDS, enclosed.NARROW: Verdict.VIOLATED}
    assert any(escape.startswith(enclosed.NARROW) for escape in run_block("enclosed-spectral-norm", 0, 0, 20).escapes)


def test_a_width_without_end_is_an_error_unless_the_numbers_may_overflow() -> None:
    assert enclosed.width(math.inf, 1.0) == enclosed.FALSE == enclosed.width(math.nan, 1.0)
    assert enclosed.width(math.inf, math.inf) is None
    assert enclosed.width(math.inf, 1.0, 1001) is None


# -- matrices that must not be certified ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["singular", "outer"])
@pytest.mark.parametrize("n", [1, 2, 5, 17, 40])
def test_singular_matrices_are_never_certified_positive(kind: str, n: int) -> None:
    if kind == "outer" and n == 1:
        return
    claim = load("enclosed-smallest-eigenvalue")
    for seed in range(3):
        instance = claim.domain.build({"n": n, "kind": kind, "digits": 0, "exponent": 0, "seed": seed}, 0)
        assert enclosure.smallest_eigenvalue(instance["S"]).lower <= 0
        assert Spectrum(oracle.exact(instance["S"])).smallest(fmpq(0)) == 0


@pytest.mark.parametrize("slug", ["enclosed-smallest-singular-value", "enclosed-spectral-norm"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [13, 40])
def test_larger_matrices(slug: str, kind: str, n: int) -> None:
    claim = load(slug)
    spec = {"n": n, "m": n, "kind": kind, "digits": 6, "exponent": 300, "seed": n}
    assert {record.verdict for record in check(claim, claim.domain.build(spec, 0)).values()} == {Verdict.HOLDS}


def test_a_solution_claimed_of_a_singular_matrix_is_a_violation() -> None:
    claim = load("enclosed-minimum-norm-solution")
    from verification.claims import enclosed_minimum_norm_solution as module

    spec = {"n": 2, "k": 2, "d": 2, "kind": "repeated", "other": "repeated", "digits": 0, "exponent": 0, "seed": 1}
    singular = claim.domain.build(spec, 0)
    assert set(module.gaps(singular)) == set()
    regular = minimum_norm_solution(np.eye(2), np.eye(2), np.ones(2))
    assert all(gap is not None and gap.low > gap.bound for gap in module.of_solution(singular, regular).values())


def test_a_solution_beyond_the_range_of_floats_is_refused_without_a_warning() -> None:
    tiny = np.array([[2.0**-1000]])
    assert minimum_norm_solution(tiny, tiny, [2.0**1000]).delta is None


# -- the oracle -----------------------------------------------------------------------------------------------------


def test_signs_of_eigenvalues() -> None:
    # Eigenvalues 1, 1 and 4.
    s = Spectrum(fmpq_mat([[2, 1, 1], [1, 2, 1], [1, 1, 2]]))
    tiny = fmpq(1, 2**500)
    assert [s.smallest(x) for x in (fmpq(1) - tiny, fmpq(1), fmpq(1) + tiny)] == [1, 0, -1]
    assert [s.largest(x) for x in (fmpq(4) - tiny, fmpq(4), fmpq(4) + tiny)] == [1, 0, -1]
    # -3 and 1, and zero twice.
    t = Spectrum(fmpq_mat([[-1, 2], [2, -1]]))
    assert [t.norm(fmpq(x)) for x in (-1, 2, 3, 4)] == [1, 1, 0, -1]
    zero = Spectrum(fmpq_mat([[0, 0], [0, 0]]))
    assert [zero.smallest(fmpq(x)) for x in (-1, 0, 1)] == [1, 0, -1]


@pytest.mark.parametrize("kind", SYMMETRIC_KINDS)
def test_signs_agree_with_lapack(kind: str) -> None:
    for n in (1, 2, 5, 8):
        S = hard_matrices.symmetric_matrix(n, kind, 3, 5, np.random.default_rng(n))
        exact = Spectrum(oracle.exact(S))
        values = np.linalg.eigvalsh(S)
        room = 1e-12 * float(np.abs(values).max()) + 1e-300
        for compare, value in ((exact.smallest, values[0]), (exact.largest, values[-1])):
            assert compare(rational(value - room)) == 1
            assert compare(rational(value + room)) == -1


def test_roots_inverses_and_frobenius_norms() -> None:
    four = Spectrum(fmpq_mat([[4]])).smallest
    assert [oracle.root(four)(fmpq(x)) for x in (-9, 1, 2, 3)] == [1, 1, 0, -1]
    assert [oracle.inverse(four)(fmpq(x, 8)) for x in (-1, 0, 1, 2, 3)] == [1, 1, 1, 0, -1]
    norm = oracle.frobenius(fmpq_mat([[3], [4]]))
    assert [norm(fmpq(x)) for x in (-6, 4, 5, 6)] == [1, 1, 0, -1]


def test_members_of_a_ball() -> None:
    A, rad = np.array([[1.0, -2.0]]), np.array([[0.5, 0.25]])
    for corner, expected in ((0, [1, -2]), (1, [fmpq(3, 2), fmpq(-9, 4)]), (-1, [fmpq(1, 2), fmpq(-7, 4)])):
        instance = Instance({"corner": corner}, {"A": A, "A_radius": rad})
        assert hard_matrices.member(instance, "A").entries() == expected
    S = hard_matrices.corner(np.zeros((5, 5)), {"corner": 2, "seed": 1}, 0, symmetric=True)
    assert np.array_equal(S, S.T)
    assert set(np.unique(S)) == {-1.0, 1.0}


@pytest.mark.parametrize(
    ("value", "radius", "error"),
    [(2.0, 1.0, 0), (1.5, 1.0, 0.5), (3.0, 1.0, 1), (3.0, 0.25, 1), (2.0, 0.0, 0), (2.0 + 2.0**-50, 0.0, 2.0**-50)],
)
def test_errors_that_are_rational_are_found(value: float, radius: float, error: float) -> None:
    gap = located(Spectrum(fmpq_mat([[2]])).smallest, value, radius)
    assert gap is not None
    assert gap.low <= rational(error) <= gap.high
    assert gap.high - gap.low <= gap.high * fmpq(1, 2**29)
    assert gap.bound == rational(radius)


def test_errors_that_are_irrational_are_enclosed() -> None:
    compare = oracle.root(Spectrum(fmpq_mat([[2]])).smallest)
    for radius in (1.0, 1e-3, 1e-12):  # the last two are too small
        gap = located(compare, 1.5, radius)
        assert gap is not None
        error = 1.5 - math.sqrt(2)
        assert float(gap.low) <= error + 1e-15
        assert error - 1e-15 <= float(gap.high)
        assert (gap.low > gap.bound) == (error > radius)
    assert located(compare, math.inf, 0.0) is None
    assert located(compare, 1.0, math.inf) is None


def test_truths_that_are_balls() -> None:
    gap = oracle.of_ball(arb(3, 0.25), 1.0, 2.0)
    assert gap is not None
    assert 1.74 < float(gap.low) <= 1.75 < 2.25 <= float(gap.high) < 2.26
    tiny = oracle.of_ball((arb(-(10**8))).exp(), 0.0, 1e-300)
    assert tiny is not None
    assert 0 <= tiny.low <= tiny.high < tiny.bound
    with pytest.raises(ArithmeticError, match="expected a finite ball"):
        oracle.of_ball(arb("nan"), 0.0, 1.0)


def _verdict(gap: Gap) -> Verdict:
    base = load("enclosed-spectral-norm")
    values = {f.name: getattr(base, f.name) for f in base.__dataclass_fields__.values()}
    claim = Claim(**{**values, "sides": enclosed.sides_of(lambda instance: {"enclosed": gap})})
    return check(claim, Instance({}, {"A": np.ones((1, 1))}))["enclosed"].verdict


@pytest.mark.parametrize(
    ("low", "high", "bound", "verdict"),
    [
        ((0, 1), (0, 1), (0, 1), Verdict.HOLDS),  # an exact zero that is one
        ((1, 1), (1, 1), (1, 1), Verdict.HOLDS),  # attained exactly
        ((1, 3), (1, 3), (1, 4), Verdict.VIOLATED),
        ((1, 2**1080), (1, 2**1080), (0, 1), Verdict.VIOLATED),  # below all floats, and yet an error
        ((1, 2**1080), (1, 2**1079), (1, 2**1074), Verdict.HOLDS),
        ((2**1030, 1), (2**1030, 1), (1, 1), Verdict.VIOLATED),  # above all floats
        ((1, 3), (1, 2), (2, 5), Verdict.UNDECIDED),
    ],
)
def test_verdicts(low: tuple[int, int], high: tuple[int, int], bound: tuple[int, int], verdict: Verdict) -> None:
    assert _verdict(Gap(fmpq(*low), fmpq(*high), fmpq(*bound))) is verdict


def test_an_escape_of_a_large_matrix_is_a_violation() -> None:
    claim = load("enclosed-largest-eigenvalue")
    instance = claim.domain.build({"n": 40, "kind": "definite", "digits": 3, "exponent": 0, "seed": 1}, 0)
    (mutant,) = (m for m in claim.mutants if m.name == "mean-row-sum")
    record = check(claim.mutated(mutant), instance)["mutant"]
    assert (record.verdict, record.reason) == (Verdict.VIOLATED, "confirmed with 60 digits")


def test_sides_enclose_the_fractions() -> None:
    third = Gap(fmpq(1, 3), fmpq(1, 3), fmpq(1, 7))
    sides = third.sides(FLOAT64)
    assert isinstance(sides.left, Estimate)
    assert Fraction(sides.left.lower) < Fraction(1, 3) < Fraction(sides.left.upper)
    m = Multiprecision(60)
    with m.working():
        sides = third.sides(m)
        assert 0 < sides.left.radius < 1e-57
        assert Gap(fmpq(3, 4), fmpq(3, 4), fmpq(1)).sides(m).left.radius == 0


def test_terms_are_told_apart() -> None:
    ball = enclosure.gram(np.ones((2, 3)), 0.1 * np.ones((2, 3)))
    changed = enclosed.with_terms(ball, range(1, 2), 0.0)
    assert not changed.terms[1].left.any()
    assert np.array_equal(changed.terms[0].left, ball.terms[0].left)


def test_unknown_kinds_and_corners_are_refused() -> None:
    from jacspec import InputError

    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="conditioned"):
        hard_matrices.hard_matrix(2, 2, "soft", 0, 0, rng)
    with pytest.raises(InputError, match="definite"):
        hard_matrices.symmetric_matrix(2, "soft", 0, 0, rng)
    with pytest.raises(InputError, match="corner"):
        hard_matrices.corner(np.ones((2, 2)), {"corner": 5}, 0)
