r"""Other published overparameterization theorems, evaluated on the same data: what each one trains and asks for.

A theorem is data (`PublishedTheorem`), its width law a monomial in named quantities

.. math:: n^a \, \lambda^{-b} \, \delta_{sep}^{-c} \, \delta^{-p} \, L^q \, \epsilon^{-r} \, \log^s(n/\delta)

so that what is printed, what is evaluated and what is tested come from one object. Nearly every source states its law
up to a constant (O-notation, "poly") and often up to logarithms. Such a law gives an **order**, not a width: its rows
have verdict ``"ORDER"``, never a `k`, and are shown as ``~ 3e+12 x C (constants dropped)``. They rank theorems by
growth; they do not compare with the widths of `jacspec.constants`, whose constants are all worked out.

Which quantities, and which convention:

* lambda is ``lambda_min(Sigma(X))`` (docs/theory.md section 3) for ReLU: it equals the ``lambda_0 = lambda_min(H^inf)``
  of Du et al. and of those who follow them, ``H^inf_ij = <x_i, x_j> P(<w, x_i> >= 0, <w, x_j> >= 0)``.
* Row separation is ours, ``min over i != j of min(||x_i - x_j||, ||x_i + x_j||)``. Allen-Zhu et al. and Zou & Gu ask
  only for ``||x_i - x_j||``, so ours is never larger and their order never comes out too small. (Allen-Zhu et al. first
  append a constant coordinate, which divides the separation by sqrt(2): dropped with the constants.)
* "delta" means row separation in some papers and failure probability in others: see `PublishedTheorem.delta_means`.
* Estimates enter by their conservative end, the lower one. One output; SGD with one sample a step.

Each row says in `verified` how much of its source was read. Published laws may also be wrong; nothing here is proved.
"""

from __future__ import annotations

from ..rounding import Estimate
from .catalogue import THEOREMS
from .theorem import QUANTITIES, LiteratureRow, PublishedTheorem

__all__ = ["QUANTITIES", "THEOREMS", "LiteratureRow", "PublishedTheorem", "table"]


def table(
    n: int,
    d: int,
    *,
    lambda_relu: Estimate,
    separation: Estimate,
    failure_probability: float = 0.05,
    hidden_layers: int = 1,
    accuracy: float = 1.0,
    repeated_rows: bool = False,
) -> tuple[LiteratureRow, ...]:
    """Every theorem of `THEOREMS` on the same data, in the order listed (see `PublishedTheorem.evaluate`)."""
    return tuple(
        theorem.evaluate(
            n,
            d,
            lambda_relu=lambda_relu,
            separation=separation,
            failure_probability=failure_probability,
            hidden_layers=hidden_layers,
            accuracy=accuracy,
            repeated_rows=repeated_rows,
        )
        for theorem in THEOREMS
    )
