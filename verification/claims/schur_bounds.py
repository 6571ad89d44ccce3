r"""schur-bounds: eigenvalues of a Hadamard product of positive semidefinite matrices (docs/theory.md section 1)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from jacspec import bounds
from verification.arithmetic import Arithmetic, Matrix, Number
from verification.claim import Claim, Kind, Mutant, Sides, Variant
from verification.domains import PSD_PAIRS
from verification.instances import Instance


def matrices(instance: Instance, m: Arithmetic) -> tuple[Matrix, Matrix]:
    """P and Q, from factors: positive semidefinite up to the rounding of their inner products."""
    FP, FQ = m.matrix(instance["FP"]), m.matrix(instance["FQ"])
    return FP @ FP.T, FQ @ FQ.T


def errors(instance: Instance, m: Arithmetic) -> tuple[float, float, float]:
    """Errors of P, of the diagonal of Q (relative to its largest entry's) and of P o Q, in spectral norm."""
    FP, FQ = np.abs(instance["FP"]), np.abs(instance["FQ"])
    p, q = FP.shape[1], FQ.shape[1]
    # |fl(F F^T) - F F^T| <= gamma_p |F||F|^T entrywise, and the Frobenius norm of that bounds the spectral norm; one
    # more rounding for the Hadamard product and one for these norms themselves.
    P, Q = FP @ FP.T, FQ @ FQ.T
    return (
        m.rounding(p + 1, float(np.linalg.norm(P))),
        m.rounding(q + 1, float(np.max(np.diag(Q)))),
        m.rounding(p + q + 2, float(np.linalg.norm(P * Q))),
    )


def spectra(instance: Instance, m: Arithmetic) -> tuple[list[Number], tuple[Number, Number], tuple[Number, Number]]:
    """Diagonal of Q; extreme eigenvalues of P; extreme eigenvalues of P o Q: none is negative, P being F F^T."""
    P, Q = matrices(instance, m)
    P_error, Q_error, PQ_error = errors(instance, m)
    (P_low, P_top), (low, top) = m.eigenvalues(P, P_error), m.eigenvalues(P * Q, PQ_error)
    zero = m.number(0.0)
    diagonal = [m.number(x, Q_error) for x in np.diag(Q)]
    return diagonal, (m.maximum([P_low, zero]), P_top), (m.maximum([low, zero]), top)


def sides(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    """Both ends of the spectrum of P o Q."""
    Q_ii, (P_low, P_top), (low, top) = spectra(instance, m)
    return {
        "lower": Sides(bounds.schur_lower(m.minimum(Q_ii), P_low), low),
        "upper": Sides(top, bounds.schur_upper(m.maximum(Q_ii), P_top)),
    }


def _max_for_min(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    Q_ii, (P_low, _), (low, _) = spectra(instance, m)
    return {"mutant": Sides(bounds.schur_lower(m.maximum(Q_ii), P_low), low)}


def _min_for_max(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    Q_ii, (_, P_top), (_, top) = spectra(instance, m)
    return {"mutant": Sides(top, bounds.schur_upper(m.minimum(Q_ii), P_top))}


def _mean(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    Q_ii, (_, P_top), (_, top) = spectra(instance, m)
    return {"mutant": Sides(top, bounds.schur_upper(sum(Q_ii) / len(Q_ii), P_top))}


def _lower_twin(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    lower = sides(instance, m)["lower"]
    return {"mutant": Sides(lower.left * 1.001, lower.right)}


def _upper_twin(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
    upper = sides(instance, m)["upper"]
    return {"mutant": Sides(upper.left, upper.right * 0.999)}


CLAIM = Claim(
    id="schur-bounds",
    title="Schur's bounds for a Hadamard product",
    statement=(
        r"\min_i Q_{ii} \lambda_{\min}(P) \le \lambda_{\min}(P \circ Q), \quad "
        r"\lambda_{\max}(P \circ Q) \le \max_i Q_{ii} \lambda_{\max}(P)"
    ),
    source="Schur 1911 (Satz VII); Horn & Johnson, Topics in Matrix Analysis, Theorem 5.3.4",
    kind=Kind.UPPER,
    domain=PSD_PAIRS,
    variants=(
        Variant("lower", r"\min_i Q_{ii} \lambda_{\min}(P) \le \lambda_{\min}(P \circ Q)"),
        Variant("upper", r"\lambda_{\max}(P \circ Q) \le \max_i Q_{ii} \lambda_{\max}(P)"),
    ),
    sides=sides,
    mutants=(
        Mutant("max-for-min", r"\max_i Q_{ii} in the lower bound", _max_for_min),
        Mutant("min-for-max", r"\min_i Q_{ii} in the upper bound", _min_for_max),
        Mutant("mean-for-max", "the mean of $Q_{ii}$ in the upper bound", _mean),
        Mutant("lower-twin", "the lower bound times 1.001", _lower_twin),
        Mutant("upper-twin", "the upper bound times 0.999", _upper_twin),
    ),
    extremal=(
        # Q = 11^T: P o Q = P, so both bounds are equalities; and Q nearly that.
        {"n": 4, "p": 6, "q": 1, "kind": "ones", "seed": 0},
        {"n": 4, "p": 6, "q": 2, "kind": "near-ones", "small": 1e-6, "seed": 1},
        # n = 1 is an equality of numbers; Q = I gives the diagonal of P; P of rank one has lambda_min = 0 exactly.
        {"n": 1, "p": 1, "q": 1, "kind": "gaussian", "seed": 2},
        {"n": 3, "p": 5, "q": 3, "kind": "identity", "seed": 3},
        {"n": 3, "p": 1, "q": 2, "kind": "gaussian", "seed": 4},
        # A diagonal Q: P o Q is diagonal too, and the largest Q_ii has nothing to do with lambda_min.
        {"n": 3, "p": 8, "q": 3, "kind": "diagonal", "seed": 0},
    ),
    floor=0.9,
    proof=(
        r"$P - \lambda_{\min}(P) I$ is positive semidefinite, so by Schur's product theorem $(P - \lambda_{\min}(P) "
        r"I) \circ Q$ is as well: $P \circ Q \succeq \lambda_{\min}(P) \operatorname{diag}(Q) \succeq "
        r"\lambda_{\min}(P) \min_i Q_{ii} I$. The same with $\lambda_{\max}(P) I - P$."
    ),
)

if __name__ == "__main__":
    from verification.claims import run_alone

    run_alone(CLAIM)
