r"""initial-certificate: the certificate at W_0, for this draw and with no probability (docs/theory.md section 7)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from jacspec.certificates import Certificate
from verification.arithmetic import Arithmetic
from verification.certified import PARTS, certificate, refused, sides_of, step_size
from verification.claim import FLOAT64, Assumption, Claim, Kind, Mutant, Sides, Variant
from verification.domains import first_rows
from verification.dynamics import Map, descents, run, told
from verification.instances import Instance

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from verification.instances import Spec


def choose(instance: Instance, f: Map) -> tuple[float, float]:
    """Labels as far from f(W_0) as labels of norm ``ratio sqrt(n) ||v||`` are, whatever h that gives."""
    v = FLOAT64.norm(instance["v"]).value
    return float(instance.spec["ratio"]) * math.sqrt(f.n) * v, step_size(instance, f)


#: The numbers that these rest on are `interpolation-certificate`'s to check.
_PROMISES = {name: PARTS[name] for name in ("norm", "contraction", "path", "distance")}


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """The promises of the certificate at W_0, on the run."""
    return sides_of(instance, m, choose, _PROMISES)


def _false(
    part: str, change: Callable[[Certificate], Certificate]
) -> Callable[[Instance, Arithmetic], Mapping[str, Sides]]:
    def mutant(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
        r, c = run(instance, m, choose), certificate(instance, choose, "kantorovich")
        return told(r, {"mutant": PARTS[part](r, change(c))}) if c.certified else {}

    return mutant


def _times(name: str, factor: float) -> Callable[[Certificate], Certificate]:
    return lambda c: replace(c, **{name: getattr(c, name) * factor})


def specs() -> SearchStrategy[Spec]:
    """Wide networks at their start."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries({
        "map": st.just("network"),
        "n": st.integers(1, 3),
        "d": st.integers(2, 4),
        "rows": st.sampled_from(["sphere", "orthogonal"]),
        "phi": st.sampled_from(["softplus", "gelu", "silu", "tanh", "erf", "elu"]),
        "k": st.sampled_from([100, 200]),
        "ratio": st.sampled_from([1.0, 0.5, 1.4]),
        "eta_bar": st.sampled_from([1.0, 1.9, 0.5]),
        "direction": st.sampled_from(["random", "bottom"]),
        "scale": st.sampled_from([1.0, 1e-3, 30.0]),
        "steps": st.integers(5, 15),
        "seed": st.integers(0, 2**32 - 1),
    })  # fmt: skip


_WIDE: dict[str, int | float | str] = {
    "map": "network", "n": 2, "d": 3, "rows": "orthogonal", "k": 300, "ratio": 1.0, "eta_bar": 1.9, "seed": 0
}  # fmt: skip

_DOMAIN = descents(("network",), ("softplus", "tanh"), ratios=(1.0,), eta_bars=(1.0,), data_ratios=(1.0,), longest=15)

CLAIM = Claim(
    id="initial-certificate",
    title="A certificate at the start of training",
    statement=(
        r"\text{CERTIFIED at } W_0 \Rightarrow \text{gradient descent from this } W_0 \text{ converges to zero loss at "
        r"the stated rate, within } s^*; \text{ there is no probability in it}"
    ),
    source="jacspec; docs/theory.md section 7",
    kind=Kind.UPPER,
    domain=first_rows(
        replace(_DOMAIN, name="wide networks at their start", specs=specs,
                data_specs=tuple({**spec, "k": 4000, "steps": 3} for spec in _DOMAIN.data_specs)),
        6,
    ),
    variants=(
        Variant("norm", r"\|J_t\| \le \beta"),
        Variant("contraction", r"\text{rate} \cdot \|r_t\| \le \|r_t\| - \|r_{t+1}\|"),
        Variant("path", r"s_t \le s^*"),
        Variant("distance", r"\|W_t - W_0\|_F \le s^*"),
    ),
    sides=sides,
    assumptions=(Assumption("CERTIFIED", lambda instance: refused(instance, choose)),),
    mutants=(
        Mutant("half-distance", "$s^*/2$", _false("distance", _times("distance", 0.5))),
        Mutant("rate-times-four", "four times the rate", _false("contraction", _times("rate", 4.0))),
        Mutant("half-norm", r"\beta/2", _false("norm", _times("beta", 0.5))),
    ),
    extremal=(
        *({**_WIDE, "phi": phi, "direction": "bottom", "steps": 25} for phi in ("softplus", "gelu")),
        {**_WIDE, "n": 1, "d": 1, "rows": "line", "phi": "softplus", "k": 500, "ratio": 0.2, "steps": 25},
        # Too narrow: refused.
        {**_WIDE, "phi": "softplus", "k": 4, "steps": 5},
    ),
    floor=0.4,
    proof="`interpolation-certificate` at $W_0$: it asks nothing of where the weights come from.",
)  # fmt: skip

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
