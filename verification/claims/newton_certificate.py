r"""newton-certificate: the theorem of Newton-Kantorovich at given weights (docs/theory.md section 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jacspec.bounds import newton
from jacspec.certificates import Certificate
from verification.arithmetic import Arithmetic, Float64, Matrix
from verification.certified import at_ratio, certificate
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import SMOOTH_ACTIVATIONS
from verification.dynamics import descents, idle, problem, run
from verification.dynamics.problems import mapping
from verification.dynamics.run import undecided
from verification.instances import Instance

#: Newton's method doubles the digits of a step, except near h = 1, where it gains one bit.
_STEPS = 160
_CONVERGED = 1e-40
#: Of the first step: beyond twice that nothing is ever claimed.
_FAR = 100.0


def proof(instance: Instance) -> Certificate:
    """The certificate of the instance."""
    return certificate(instance, at_ratio, "newton")


def why_not(instance: Instance) -> str | None:
    """Why there is none."""
    found = idle(run(instance, FLOAT64, at_ratio))
    if found is not None:
        return found
    c = proof(instance)
    return None if c.certified else f"not certified: {c.reason}"


# -- what is claimed, in 60 digits ----------------------------------------------------------------------------------


def _pseudoinverse(J: Matrix, r: Matrix) -> Matrix:
    """``J^+ r`` of a J with independent rows."""
    from mpmath import mp

    K = mp.matrix((J @ J.T).tolist())
    solved = mp.lu_solve(K, mp.matrix([[x] for x in r]))
    weights: Matrix = J.T @ [solved[i] for i in range(len(r))]
    return weights


def first_step(instance: Instance, m: Arithmetic) -> Any:
    """``||J^+ r||``"""
    f = mapping(instance, m)
    r = f.value(f.start)[0] - m.matrix(problem(instance, at_ratio).y)
    return m.norm(_pseudoinverse(f.jacobian(f.start)[0], r))


def moved(instance: Instance, m: Arithmetic) -> tuple[Any, bool]:
    """How far Newton's method on ``W + range(J(W)^T)`` goes, and whether it converges.

    Where it does not: how far it was when that was clear. By Kantorovich's theorem no step leaves the ball in which the
    interpolator is said to be, so a step that does refutes what is said.
    """
    from mpmath import mp

    def compute() -> tuple[Any, bool]:
        f = mapping(instance, m)
        y = m.matrix(problem(instance, at_ratio).y)
        J0, theta, n = f.jacobian(f.start)[0], f.start, f.n
        away, far = m.number(0.0), first_step(instance, m) * _FAR
        for _ in range(_STEPS):
            r, away = f.value(theta)[0] - y, m.norm(theta - f.start)
            if m.norm(r) <= _CONVERGED * (1 + m.norm(y)):
                return away, True
            if away > far:
                break
            # Steps J_0^T c with (J J_0^T) c = -r stay in the subspace.
            c = mp.lu_solve(mp.matrix((f.jacobian(theta)[0] @ J0.T).tolist()), mp.matrix([[-x] for x in r]))
            theta = theta + J0.T @ [c[i] for i in range(n)]
        return away, False

    found: tuple[Any, bool] = instance.once("newton-certificate: moved", compute)
    return found


Change = Callable[[Certificate], Certificate]


def _parts(instance: Instance, m: Arithmetic, c: Certificate) -> dict[str, Sides]:
    assert c.newton_step is not None
    assert c.distance is not None
    if isinstance(m, Float64):  # nothing is said of it before the limit is known to 40 digits
        return {"newton-step": undecided(m), "distance": undecided(m)}
    (limit, converged), claimed = moved(instance, m), m.number(c.distance)
    far = Sides(limit, claimed) if converged or limit > claimed else undecided(m)
    return {"newton-step": Sides(first_step(instance, m), m.number(c.newton_step.upper)), "distance": far}


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The first step, and where Newton's method ends, against what is claimed."""
    c = proof(instance)
    return _parts(instance, m, c) if c.certified else {}


# -- false neighbours -----------------------------------------------------------------------------------------------


def _false(part: str, change: Change) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        c = proof(instance)
        return {"mutant": _parts(instance, m, change(c))[part]} if c.certified else {}

    return mutant


def _below_two(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """A distance wherever h < 2, with |1 - h| under the root."""
    c = proof(instance)
    if c.h is None or c.newton_step is None or c.h.upper >= 2:
        return {}
    h = c.h.upper if c.h.upper <= 1 else 2 - c.h.upper
    return {
        "mutant": _parts(instance, m, replace(c, distance=newton.newton_distance(c.newton_step.upper, h)))["distance"]
    }


def _first_step_only(c: Certificate) -> Certificate:
    assert c.newton_step is not None
    return replace(c, distance=c.newton_step.upper)


def _by_norm(c: Certificate) -> Certificate:
    """||r||/||J||, the largest singular value in place of the inverse's."""
    assert c.newton_step is not None
    return replace(c, newton_step=type(c.newton_step).exact(c.newton_step.lower))


def _share_of(name: str, share: float) -> Change:
    return lambda c: replace(c, **{name: getattr(c, name) * share})


_LINE: dict[str, int | float | str] = {
    "map": "network", "n": 1, "d": 1, "rows": "line", "phi": "softplus", "k": 1, "v": "ones", "spread": 1e-3, "steps": 5
}  # fmt: skip
_NET: dict[str, int | float | str] = {
    "map": "network", "n": 3, "d": 4, "rows": "sphere", "k": 8, "v": "balanced", "spread": 1.0, "seed": 3, "steps": 5
}  # fmt: skip

CLAIM = Claim(
    id="newton-certificate",
    title="Newton-Kantorovich at given weights: an interpolator exists",
    statement=(
        r"h = 2 L \|J^+\| \|J^+ r\| \le 1 \text{ at } W \Rightarrow "
        r"\text{some } W^* \in W + \operatorname{range} J^\top "
        r"\text{ has } f(W^*) = y,\ \|W^* - W\|_F \le \frac{2 \|J^+ r\|}{1 + \sqrt{1 - h}} \le 2 \|J^+ r\|"
    ),
    source="Kantorovich 1948; jacspec; docs/theory.md section 7",
    kind=Kind.UPPER,
    domain=descents(
        ("network",),
        SMOOTH_ACTIVATIONS,
        ratios=(0.999, 0.9, 0.5, 0.1, 1e-6, 1.3, 2.0),
        eta_bars=(1.0,),
        data_ratios=(0.999, 0.5),
        longest=6,
    ),
    variants=(
        Variant("newton-step", r"\|J^+ r\| \text{ is at most its claimed bound}"),
        Variant("distance", r"\text{the interpolator that Newton's method finds is within the stated distance}"),
    ),
    sides=sides,
    assumptions=(Assumption("CERTIFIED", why_not),),
    mutants=(
        Mutant("half-distance", "half the distance", _false("distance", _share_of("distance", 0.5))),
        Mutant("short-distance", "0.99 of the distance", _false("distance", _share_of("distance", 0.99))),
        Mutant("first-step-only", r"\|J^+ r\|, as if L = 0", _false("distance", _first_step_only)),
        Mutant("h-below-two", "$h < 2$ suffices, with $|1 - h|$", _below_two, assumptions=()),
        Mutant("by-norm", r"\|r\|/\|J\| for \|J^+ r\|", _false("newton-step", _by_norm)),
        Mutant("step-less", r"(1 - 10^{-6}) \|J^+ r\|", _false("newton-step", _share_of("newton_step", 1 - 1e-6))),
    ),
    extremal=(
        *({**_LINE, "ratio": ratio, "eta_bar": 1.0, "seed": seed}
          for ratio in (0.999, 0.5, 1e-6) for seed in (0, 1, 2)),
        *({**_NET, "phi": phi, "ratio": ratio, "eta_bar": 1.0, "direction": direction}
          for phi, ratio, direction in (("softplus", 0.9, "bottom"), ("tanh", 1.5, "random"), ("gelu", 0.999, "top"),
                                        ("elu", 0.1, "random"), ("sin", 2.0, "top"))),
        {**_NET, "phi": "linear", "d": 5, "ratio": 1.0, "eta_bar": 1.0},
        # Refused. The first has no interpolator at all: softplus is positive, and the label is not.
        {**_LINE, "ratio": 1.9, "eta_bar": 1.0, "seed": 0},
        {**_NET, "phi": "softplus", "ratio": 1.3, "eta_bar": 1.0, "direction": "bottom"},
        {**_NET, "phi": "softplus", "d": 1, "k": 2, "rows": "line", "ratio": 0.5, "eta_bar": 1.0},
    ),
    floor=0.5,
    proof=(
        r"$g(u) = J^+ (f(W + u) - y)$ on $u$ in $\operatorname{range}(J^\top)$: $g'(0) = I$, $g'$ has the Lipschitz "
        r"constant $\|J^+\| L$, and $h/2 = \|J^+\| L \|g(0)\| \le 1/2$ is Kantorovich's condition; its zero $u^*$ "
        r"has $\|u^*\| \le 2 \|g(0)\|/(1 + \sqrt{1 - h})$. $J$ has independent rows, so $J^+$ is injective and $f(W "
        "+ u^*) = y$."
    ),
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
