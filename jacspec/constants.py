"""Everything a user asks of a given X: constants with radii, per activation, and what each theorem then promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._checks import InputError, check_int, check_real, check_seed
from .activations import Activation, activation
from .covariance import Covariance, Layer, covariance_spectrum
from .hermite import HermiteExpansion, hermite_coefficients, hermite_expansion
from .literature import LiteratureRow
from .literature import table as literature_table
from .spectrum import DataSpectrum, data_spectrum
from .widths import Options, Problem, WidthRow, width_rows

if TYPE_CHECKING:
    from .data import Dataset

__all__ = ["ActivationConstants", "Constants", "data_constants"]

DEFAULT_ACTIVATIONS = ("softplus", "tanh", "relu")


@dataclass(frozen=True)
class ActivationConstants:
    """Constants of one activation on one X.

    Parameters
    ----------
    phi : Activation
    hermite : HermiteExpansion
    coefficients : tuple of Estimate
        The first mu_r, as many as were asked for.
    hidden, output : Covariance
        lambda(X) and ||Sigma(X)||; the same of the output layer's covariance.
    widths : tuple of WidthRow
    """

    phi: Activation
    hermite: HermiteExpansion
    coefficients: tuple[Any, ...]
    hidden: Covariance
    output: Covariance
    widths: tuple[WidthRow, ...]

    def to_json(self) -> dict[str, Any]:
        """The activation's entry of the JSON contract."""
        return {
            "B1": self.phi.B1.to_json(),
            "B2": self.phi.B2.to_json(),
            "mu_phi": self.hermite.mu_phi.to_json(),
            "hermite": [m.to_json() for m in self.coefficients],
            "mean": self.hermite.mean.to_json(),
            "mean_square": self.hermite.mean_square.to_json(),
            "mean_derivative_squared": self.hermite.mean_derivative_square.to_json(),
            "variance": self.hermite.variance.to_json(),
            "lambda": self.hidden.smallest.to_json(),
            "covariance_norm": self.hidden.largest.to_json(),
            "lambda_output": self.output.smallest.to_json(),
            "widths": [row.to_json() for row in self.widths],
        }


@dataclass(frozen=True)
class Constants:
    """All constants of one data set.

    Parameters
    ----------
    dataset : Dataset
    spectrum : DataSpectrum
    activations : dict of str to ActivationConstants
        In the order asked for.
    options : Options
    literature : tuple of LiteratureRow
        Other published theorems on the same X; their constants are dropped, and say so.
    seed : int
    y_norm : float
        ``||y||``, or sqrt(n) assumed without labels.
    """

    dataset: Dataset
    spectrum: DataSpectrum
    activations: dict[str, ActivationConstants]
    options: Options
    literature: tuple[LiteratureRow, ...]
    seed: int
    y_norm: float

    def to_json(self) -> dict[str, Any]:
        """The JSON contract, schema ``jacspec.constants/1``."""
        from . import __version__

        s, data = self.spectrum, self.dataset
        structure = data.structure
        return {
            "schema": "jacspec.constants/1",
            "version": __version__,
            "seed": self.seed,
            "data": {
                "source": data.source,
                "n": data.n,
                "d": data.d,
                "rank": structure.rank,
                "rank_proved": structure.rank_proved,
                "sha256": data.sha256,
                "normalized": data.normalized,
                "repeated_rows": [list(pair) for pair in structure.repeated],
                "antipodal_rows": [list(pair) for pair in structure.antipodal],
                "row_norm_defect": data.row_norm_defect,
            },
            "spectrum": {
                "spectral_norm": s.spectral_norm.to_json(),
                "sigma_min": s.sigma_min.to_json(),
                "khatri_rao_norm": s.khatri_rao_norm.to_json(),
                "khatri_rao_sigma_min": s.khatri_rao_sigma_min.to_json(),
                "kappa": s.kappa.to_json(),
                "norm_2_to_4_squared": {
                    "lower": s.norm_2_to_4_squared.lower,
                    "upper": s.norm_2_to_4_squared.upper,
                },
                "separation": s.separation.to_json(),
            },
            "activations": {name: a.to_json() for name, a in self.activations.items()},
            "literature": [row.to_json() for row in self.literature],
        }


def data_constants(
    X: NDArray[Any] | Dataset,
    activations: Iterable[str | Activation] = DEFAULT_ACTIVATIONS,
    *,
    y: NDArray[Any] | None = None,
    normalize: bool = False,
    options: Options | None = None,
    hermite_count: int = 10,
    seed: int = 0,
    rigorous: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Constants:
    r"""Every constant of the theory on a data matrix, and what each theorem asks of it.

    Parameters
    ----------
    X : (n, d) array or Dataset
        Rows are samples; unit rows unless `normalize`.
    activations : iterable of str or Activation
    y : (n,) array, optional
        Labels; without them ``||y|| = sqrt(n)`` (labels of size one) is assumed, and the rows say so.
    normalize : bool
        Divide each row by its norm.
    options : Options, optional
        delta, nu, failure, eta_bar and the tolerance that iterations count to.
    hermite_count : int
        How many mu_r to report.
    seed : int
        For random starts of iterative methods.
    rigorous : bool
        Prove every constant: intervals that enclose, at some three times the cost. A user's own activation keeps
        measured ones.
    progress : callable, optional
        Called with the name of each stage.

    Returns
    -------
    Constants

    Raises
    ------
    InputError
        For a bad argument (which one, what was given, what was expected).
    CapacityError
        If the n x n matrices do not fit in memory, with the estimate.

    References
    ----------
    docs/theory.md sections 0 to 3 and 6; Oymak & Soltanolkotabi, arXiv 1902.04674.

    Examples
    --------
    >>> import numpy as np
    >>> report = data_constants(np.eye(4), ["tanh"])
    >>> report.activations["tanh"].hermite.mu_phi.exact_zero
    True
    >>> [row.verdict for row in report.activations["tanh"].widths][:2]
    ['VACUOUS', 'OK']
    """
    from .data import Dataset, load

    dataset = X if isinstance(X, Dataset) else load(X, normalize=normalize, labels=y)
    chosen = check_options(options or Options())
    seed = check_seed("seed", seed)
    hermite_count = check_int("hermite_count", hermite_count, minimum=2, maximum=200)
    say = progress or (lambda stage: None)
    functions = _unique(activations)

    say("exact structure of the rows")
    structure = dataset.structure
    spectrum = data_spectrum(dataset.X, structure=structure, raw=dataset.raw, seed=seed, progress=say)
    if rigorous:
        from .proved import proved_spectrum

        spectrum = proved_spectrum(dataset.X, spectrum, progress=say)
    assumed = dataset.y is None
    y_norm = float(np.sqrt(dataset.n)) if dataset.y is None else _norm(dataset.y)

    def eigenvalues(phi: Activation | str, layer: Layer) -> Covariance:
        found = covariance_spectrum(dataset.X, phi, layer, structure=structure, seed=seed)
        if rigorous:
            from .proved import proved_covariance

            found = proved_covariance(dataset.X, found, phi)
        return _explained(found, spectrum)

    out: dict[str, ActivationConstants] = {}
    for phi in functions:
        say(f"{phi.name}: Hermite coefficients")
        expansion = hermite_expansion(phi)
        say(f"{phi.name}: lambda(X)")
        hidden = eigenvalues(phi, "hidden")
        say(f"{phi.name}: lambda of the output layer")
        output = eigenvalues(phi, "output")
        say(f"{phi.name}: theorems")
        problem = Problem(dataset.n, dataset.d, y_norm, assumed, phi, spectrum, expansion, hidden, output)
        rows = tuple(width_rows(problem, chosen))
        out[phi.name] = ActivationConstants(
            phi, expansion, hermite_coefficients(phi, hermite_count), hidden, output, rows
        )
    say("other theorems")
    relu = out["relu"].hidden if "relu" in out else eigenvalues("relu", "hidden")
    others = literature_table(
        dataset.n,
        dataset.d,
        lambda_relu=relu.smallest,
        separation=spectrum.separation,
        failure_probability=chosen.failure,
        repeated_rows=bool(structure.repeated),
    )
    return Constants(dataset, spectrum, out, chosen, others, seed, y_norm)


def _explained(c: Covariance, spectrum: DataSpectrum) -> Covariance:
    """Say which rows are to blame where lambda cannot be told from zero."""
    if c.smallest.exact_zero or c.smallest.lower > 0 or not spectrum.separation.finite:
        return c
    gap = spectrum.separation
    blame = f"; the closest {gap.note} are {gap.value:.2g} apart up to sign" if gap.note and gap.value < 0.1 else ""
    return replace(c, smallest=c.smallest.with_note(c.smallest.note + blame))


def _norm(y: NDArray[np.float64]) -> float:
    """||y|| without overflow or underflow."""
    largest = float(np.max(np.abs(y)))
    return largest * float(np.linalg.norm(y / largest))


def _unique(names: Iterable[str | Activation]) -> list[Activation]:
    """Activations in the order given, duplicates (also through aliases) once."""
    if isinstance(names, (str, Activation)):
        names = [names]
    out: list[Activation] = []
    for name in names:
        phi = activation(name)
        if phi not in out:
            out.append(phi)
    if not out:
        raise InputError("activations", "none", "at least one activation")
    return out


def check_options(o: Options) -> Options:
    """Validate the free parameters of the theorems.

    Raises
    ------
    InputError
        Unless delta > 0, nu > 1, 0 < failure < 1, 0 <= eta_bar <= 1 and 0 < tolerance < 1.
    """
    check_real("delta", o.delta, above=0)
    check_real("nu", o.nu, above=1)
    check_real("failure", o.failure, above=0, below=1)
    check_real("eta_bar", o.eta_bar, at_least=0, at_most=1)
    check_real("tolerance", o.tolerance, above=0, below=1)
    return o
