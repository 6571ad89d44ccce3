r"""relu-separation: lambda(X) of ReLU from below by the separation of the rows (docs/theory.md section 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jacspec import bounds
from verification.arithmetic import Arithmetic, Float64, Number
from verification.claim import Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import rows
from verification.instances import Instance
from verification.kernels import BITS, covariance_eigenvalues, enclosed, geometry, has_antipodal_rows

#: Rows from which pairs are too many for ball arithmetic.
MANY = 64


def distances(instance: Instance, m: Arithmetic, up_to_sign: bool = True) -> list[Number]:
    """``||x_i - x_j||`` of all pairs of normalised rows, or the smaller of it and ``||x_i + x_j||``.

    From the angle t between the rows, as 2 sin(t/2) and 2 cos(t/2).
    """
    from jacspec.hermite.ball import precision

    _, theta = geometry(instance)
    with precision(BITS):
        balls: list[Any] = []
        for i in range(len(theta)):
            for j in range(i):
                minus, plus = 2 * (theta[i, j] / 2).sin(), 2 * (theta[i, j] / 2).cos()
                balls.append(minus.min(plus) if up_to_sign else minus)
        return [enclosed(m, b) for b in balls]


def smallest(m: Arithmetic, numbers: list[Number]) -> Number:
    """The number with the smallest midpoint (the others' intervals are as narrow)."""
    return min(numbers, key=lambda x: m.split(x)[0])


def delta(instance: Instance, m: Arithmetic) -> Number:
    """The separation of the rows up to sign, computed from X; of a user's many rows as the tool does."""
    if isinstance(m, Float64) and len(instance["X"]) > MANY:
        from jacspec.separation import row_separation

        return row_separation(instance["X"])
    return smallest(m, distances(instance, m))


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The lower bounds against lambda(X) of ReLU."""
    right, _ = covariance_eigenvalues(instance, m)
    gap, n = delta(instance, m), len(instance["X"])
    return {
        "paper": Sides(bounds.relu_separation_paper(gap, n), right),
        "sharp": Sides(bounds.relu_separation_sharp(gap, n), right),
    }


def _against(left: Callable[[Instance, Arithmetic, int], Number]) -> Callable[[Instance, Arithmetic], Any]:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        return {"mutant": Sides(left(instance, m, len(instance["X"])), covariance_eigenvalues(instance, m)[0])}

    return mutant


def _too_few_rows(instance: Instance) -> str | None:
    n = len(instance["X"])
    return None if n >= 2 else f"the statement is about pairs of rows, and n = {n}"


def _not_separated(instance: Instance) -> str | None:
    if len(instance["X"]) < 2 or not has_antipodal_rows(instance):
        return None
    return "the separation is exactly 0: two rows are equal up to sign"


def _mean(numbers: list[Number]) -> Number:
    return sum(numbers[1:], numbers[0]) / len(numbers)


CLAIM = Claim(
    id="relu-separation",
    title=r"Separated rows keep $\lambda(X)$ of ReLU away from zero",
    statement=r"\|x_i \pm x_j\| \ge \delta \ (i \ne j) \implies \lambda(X) \ge \frac{\delta}{100 n^2}",
    source="Oymak & Soltanolkotabi, arXiv 1902.04674; used by Zou & Gu, NeurIPS 2019",
    kind=Kind.LOWER,
    domain=rows(
        ("relu",),
        10,
        6,
        min_n=2,
        min_d=2,
        kinds=("sphere", "sphere", "orthogonal", "clusters", "clusters", "parallel", "parallel", "arc", "arc"),
    ),
    variants=(
        Variant("paper", r"\lambda(X) \ge \delta / (100 n^2)"),
        Variant("sharp", r"\lambda(X) \ge \delta / (34 (n - 1))"),
    ),
    sides=sides,
    assumptions=(
        Assumption(r"$n \ge 2$", _too_few_rows),
        Assumption(r"no two rows are equal or antipodal ($\delta > 0$)", _not_separated),
    ),
    # The constants are not attained: the least lambda / delta that is known is 1/(2 pi) for n = 2, so 34 (n - 1) could
    # be at most 5.4 times smaller there. The mutants take constants just beyond what two or three rows allow.
    mutants=(
        Mutant(
            "constant-6.2",
            r"\delta / (6.2 (n - 1)): just above the limit \delta / (2 \pi) of two rows",
            _against(lambda x, m, n: bounds.relu_separation_sharp(delta(x, m), n) * 34 / m.number(6.2)),
        ),
        Mutant("no-count", r"\delta / 9, without n", _against(lambda x, m, n: delta(x, m) / 9)),
        Mutant(
            "no-sign",
            r"\min_{i \ne j} \|x_i - x_j\| in place of \delta, rows \pm paired",
            _against(lambda x, m, n: bounds.relu_separation_sharp(smallest(m, distances(x, m, False)), n)),
        ),
        Mutant(
            "mean-separation",
            "the mean distance in place of the smallest",
            _against(lambda x, m, n: bounds.relu_separation_sharp(_mean(distances(x, m)), n)),
        ),
        Mutant(
            "root",
            r"\sqrt{\delta} in place of \delta",
            _against(lambda x, m, n: bounds.relu_separation_sharp(delta(x, m) ** 0.5, n)),
        ),
    ),
    extremal=(
        # Two rows at a small angle t: lambda = t/(2 pi) + O(t^2), the least that is known in units of delta = t.
        {"n": 2, "d": 2, "rows": "arc", "angle": 1e-4, "phi": "relu", "seed": 1},
        {"n": 2, "d": 2, "rows": "arc", "angle": 1e-8, "phi": "relu", "seed": 2},
        # Equally spaced rows: lambda decreases to about delta/(4 pi) as n grows.
        {"n": 3, "d": 2, "rows": "arc", "angle": 1e-3, "phi": "relu", "seed": 3},
        {"n": 10, "d": 2, "rows": "arc", "angle": 1e-3, "phi": "relu", "seed": 4},
        # One near pair among many rows.
        {"n": 8, "d": 4, "rows": "parallel", "angle": 1e-4, "phi": "relu", "seed": 5},
        # Antipodal pairs of linearly dependent rows: lambda = 0, as phi'(t) + phi'(-t) = 1 leaves a linear relation.
        # Each pair is turned by 1e-8, so that delta > 0 while all ||x_i - x_j|| are of order 1.
        {"n": 6, "d": 2, "rows": "near-pairs", "angle": 1e-8, "phi": "relu", "seed": 6},
        {"n": 1, "d": 1, "rows": "line", "angle": 0.1, "phi": "relu", "seed": 7},
    ),
    floor=0.9,
    proof=(
        r"$\gamma = \delta \sqrt{\pi/2}/(4(n-1))$, $w_\perp = w - \langle w, x_i \rangle x_i$, $E_i = \{|\langle w, "
        r"x_i \rangle| \le \gamma, |\langle w_\perp, x_j \rangle| > \gamma (1 + |\rho_{ij}|) \text{ for } j \ne "
        r"i\}$. On $E_i$ only the sign of unit $i$ depends on $\langle w, x_i \rangle$, so the $E_i$ are disjoint "
        r"and $E[\|\sum_j c_j \phi'(\langle w, x_j \rangle) x_j\|^2 \mid E_i] \ge c_i^2/4$. As $(1 + "
        r"|\rho|)/\sin(\text{angle}) \le 2/\delta$, $P(E_i)$ is at least $0.967 \delta/(8(n-1))$; sum over $i$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
