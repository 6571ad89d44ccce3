r"""enclosed-minimum-norm-solution: J^+ r for J = D * X, proved (jacspec.enclosure.minimum_norm_solution)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from flint import fmpq, fmpq_mat

from jacspec.enclosure import BallMatrix, MinimumNormSolution, minimum_norm_solution
from jacspec.rounding import UNIT_ROUNDOFF
from verification.claim import Claim, Kind, Mutant, SidesOf, Variant
from verification.claims.enclosed_jacobian_singular_values import EXTREMAL, gram_of, jacobian_domain, truths
from verification.enclosed import (
    FALSE,
    NARROW,
    Gaps,
    altered,
    narrow,
    on_exact_data,
    scaled_down,
    sides_of,
    size_of,
    wide,
    width,
)
from verification.hard_matrices import RELATIVE, ball, corner, member
from verification.instances import Domain, Instance, Spec, generator
from verification.oracle import (
    Exact,
    Gap,
    Rational,
    enclosed,
    entries,
    exact,
    frobenius,
    inverse,
    khatri_rao,
    located,
    rational,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_JACOBIANS = jacobian_domain(4)


def with_residual(instance: Instance) -> Instance:
    """With a right-hand side r, whose radii are "relative_r" times its entries."""
    n, spec = len(instance["D"]), instance.spec
    r = generator(spec, 34).standard_normal(n)
    spread = ball(r, spec, "relative_r")
    return Instance(spec, {**instance.arrays, "r": r, **({} if spread is None else {"r_radius": spread})})


def found(instance: Instance, share: float = 1.0, share_of_r: float = 1.0) -> MinimumNormSolution:
    """The enclosure, with a share of the radii of D and of r."""
    D, rad, spread = instance["D"], instance.arrays.get("D_radius"), instance.arrays.get("r_radius")
    ball = D if rad is None or share == 0 else BallMatrix(D, share * rad)
    moved = None if spread is None else share_of_r * spread
    known: MinimumNormSolution = instance.once(
        f"found {share} {share_of_r}", lambda: minimum_norm_solution(ball, instance["X"], instance["r"], moved)
    )
    return known


@dataclass(frozen=True)
class Truth:
    """Delta = J^T (J J^T)^{-1} r of one member of the balls, as a k x d matrix; None where J J^T is singular."""

    solution: Exact | None
    jacobian: Exact
    right: Exact


def truth(instance: Instance) -> Truth:
    """The exact solution."""

    def compute() -> Truth:
        D, X = member(instance, "D"), exact(instance["X"])
        r, spread = instance["r"][:, None], instance.arrays.get("r_radius")
        right = exact(r, None if spread is None else spread[:, None], corner(r, instance.spec, 1))
        J, K = khatri_rao(D, X), gram_of(instance)
        if K.rank() < K.nrows():
            return Truth(None, J, right)
        flat = (J.transpose() * K.solve(right)).entries()
        return Truth(fmpq_mat(D.ncols(), X.ncols(), flat), J, right)

    known: Truth = instance.once("solution", compute)
    return known


def of_solution(instance: Instance, s: MinimumNormSolution) -> Gaps:
    """What a solution claims; nothing where it does not say that J has a right inverse."""
    true = truth(instance).solution
    if s.delta is None:
        return {}
    if true is None:
        return dict.fromkeys(("entries", "error", "norm", "inverse-norm"), FALSE)  # there is no right inverse
    off = frobenius(true - exact(s.delta.mid))
    return {
        "entries": entries(true, exact(s.delta.mid), s.delta.rad),
        "error": located(off, 0.0, s.error),
        "norm": enclosed(frobenius(true), s.norm),
        "inverse-norm": enclosed(inverse(truths(instance)["smallest"]), s.inverse_norm),
    }


def gaps(instance: Instance) -> Gaps:
    """The solution, the norm of its error, its norm and that of J^+; their radii where something is claimed."""
    claimed = of_solution(instance, found(instance))
    return {**claimed, NARROW: narrow(widths(instance))} if claimed else {}


def widths(instance: Instance) -> Gaps:
    """The four radii, against what the condition number and the radii of the data make of them."""
    s = found(instance)
    if s.delta is None:
        return {}
    (D, e), (X, f) = scaled_down(instance["D"]), scaled_down(instance["X"])
    spread = size_of(instance.arrays.get("r_radius"))
    moved = size_of(instance.arrays.get("D_radius"), e) * float(np.linalg.norm(X, axis=1).max())
    kappa, inverse = s.sigma_max.upper / s.sigma_min.lower, s.inverse_norm.value
    unit = 32 * (len(X) + D.shape[1] + X.shape[1]) * UNIT_ROUNDOFF
    shift = math.ldexp(moved, e + f) * inverse  # of J, relative to sigma_min
    relative = unit * kappa**2 + 4 * shift
    error = s.norm.value * relative + 4 * spread * inverse
    return {
        "entries": width(float(s.delta.rad.max()), error),
        "error": width(s.error, error),
        "norm": width(s.norm.radius, 2 * error),
        "inverse-norm": width(s.inverse_norm.radius, inverse * relative),
    }


def _altered(variant: str, share: float = 1.0, share_of_r: float = 1.0) -> SidesOf:
    return altered(lambda i: of_solution(i, found(i, share, share_of_r)).get(variant))


def _times(variant: str, factor: float) -> Callable[[Instance], Gap | None]:
    def gap(instance: Instance) -> Gap | None:
        whole = gaps(instance).get(variant)
        return None if whole is None else whole.times(factor)

    return gap


def _residual_over(instance: Instance, sigma: str) -> Gap | None:
    r"""``||r - J P|| / sigma`` with the exact residual of the computed P."""
    s, true = found(instance), truth(instance)
    if s.delta is None or true.solution is None:
        return None
    P = fmpq_mat(true.jacobian.ncols(), 1, exact(s.delta.mid).entries())
    square = sum((x * x for x in (true.right - true.jacobian * P).entries()), fmpq(0))
    divisor = rational(s.sigma_min.upper if sigma == "smallest" else s.sigma_max.lower)
    gap = located(frobenius(true.solution - exact(s.delta.mid)), 0.0, s.error)
    return None if gap is None else Gap(gap.low, gap.high, _root_above(square) / divisor)


def _root_above(x: Rational) -> Rational:
    """A fraction just above the square root of a nonnegative one."""
    p, q = int(x.p), int(x.q)
    half = max(0, (q.bit_length() - p.bit_length()) // 2) + 64
    return fmpq(math.isqrt((p << 2 * half) // q) + 1, 1 << half)


def _without_range(instance: Instance) -> Gap | None:
    """Without the part of P - J^T c off the range of J^T."""
    return _residual_over(instance, "smallest")


def _by_norm(instance: Instance) -> Gap | None:
    r"""``||r - J P|| / ||J||``."""
    return _residual_over(instance, "largest")


def _specs_with_residual() -> Domain:
    own = _JACOBIANS.from_data
    assert own is not None

    def specs() -> SearchStrategy[Spec]:
        from hypothesis import strategies as st

        more = st.sampled_from(RELATIVE)
        return st.builds(lambda spec, relative: {**spec, "relative_r": relative}, _JACOBIANS.specs(), more)

    return Domain(
        "Jacobians D * X and right-hand sides r, exact or with radii",
        specs,
        lambda spec, trial: with_residual(_JACOBIANS.build(spec, trial)),
        lambda X, spec, trial: with_residual(own(X, spec, trial)),
        _JACOBIANS.data_specs,
    )


_PLAIN: dict[str, int | float | str] = {
    "n": 3, "k": 2, "d": 2, "kind": "conditioned", "other": "conditioned", "digits": 1, "exponent": 0
}  # fmt: skip
_MORE: tuple[Spec, ...] = (
    *({**_PLAIN, "seed": seed} for seed in range(12)),
    *({**_PLAIN, "n": 1, "k": 1, "digits": 0, "seed": seed} for seed in range(10)),
    # Numbers: radii of D alone, or of r alone, are attained.
    *(
        {**_PLAIN, "n": 1, "k": 1, "d": 1, name: 1e-6, "corner": corner, "seed": 1}
        for name in ("relative", "relative_r")
        for corner in (1, -1)
    ),
    *(
        {**_PLAIN, "relative": a, "relative_r": b, "corner": corner, "seed": 2}
        for a, b in ((1e-9, 0.0), (0.0, 1e-9), (1e-9, 1e-9))
        for corner in (1, 2)
    ),
)

CLAIM = Claim(
    id="enclosed-minimum-norm-solution",
    title="The minimum-norm solution for a Jacobian D * X, enclosed",
    statement=(
        r"\|J^+ r - P\|_F \le \|r - J P\|/\sigma_{\min}(J) + \|P - J^\top c\|_F \le \operatorname{error} "
        r"\text{ for every } J = D * X \text{ and } r \text{ in their balls}"
    ),
    source="newton-certificate, interpolation-certificate-relu; docs/rigor.md; jacspec.enclosure.minimum_norm_solution",
    kind=Kind.UPPER,
    domain=_specs_with_residual(),
    variants=(
        Variant("entries", r"|J^+ r - P| \le \operatorname{rad} \text{ in every entry}"),
        Variant("error", r"\|J^+ r - P\|_F \le \operatorname{error}"),
        Variant("norm", r"|\|J^+ r\|_F - \nu| \le \operatorname{rad}"),
        Variant("inverse-norm", r"|\|J^+\| - \nu'| \le \operatorname{rad}'"),
        Variant(
            NARROW,
            r"\operatorname{error} \le 32 (n+k+d) u \kappa(J)^2 \|J^+ r\|,\ "
            r"\operatorname{rad}' \le 32 (n+k+d) u \kappa(J)^2 \|J^+\|, \text{ of exact data}",
        ),
    ),
    sides=sides_of(gaps),
    exact=True,
    mutants=(
        Mutant("no-data", "without the radii of $D$", _altered("error", share=0.0)),
        Mutant("half-data", "half of the radii of $D$", _altered("error", share=0.5)),
        Mutant("no-right", "without the radii of $r$", _altered("error", share_of_r=0.0)),
        Mutant("half-right", "half of the radii of $r$", _altered("error", share_of_r=0.5)),
        Mutant("no-rounding", "0.2 times the error, for exact data (rounding is bounded term by term)",
               on_exact_data(_times("error", 0.2))),
        Mutant("half-the-entries", "0.5 times the radius of each entry", altered(_times("entries", 0.5))),
        Mutant("off-range", r"without \|P - J^\top c\|", on_exact_data(_without_range)),
        Mutant("by-norm", r"\|J\| in place of \sigma_{\min}(J)", on_exact_data(_by_norm)),
        Mutant("half-inverse", r"half of the radius of \|J^+\|", altered(_times("inverse-norm", 0.5))),
        Mutant("half-norm", r"half of the radius of \|J^+ r\|", altered(_times("norm", 0.5))),
        *wide(widths, "entries", "error", "norm", "inverse-norm"),
    ),
    extremal=(*EXTREMAL, *_MORE),
    floor=0.3,  # nothing is said where J is singular, or may be within its radii
    proof=(
        r"$J^+ r - P = J^+ (r - J P) - (I - J^+ J)(P - J^\top c)$, since $(I - J^+ J) J^\top = 0$; both norms are "
        "evaluated for every $J$ and $r$ in their balls, with rounding."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
