"""`Certificate`: the verdict at given weights, its numbers, and everything needed to check it again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._checks import InputError, check_matrix, check_vector
from .._files import array_digest
from ..network import ShallowNet
from ..rounding import Estimate
from . import files

__all__ = ["Certificate", "Method", "Verdict"]

Floats = NDArray[np.float64]
Verdict = Literal["CERTIFIED", "NOT CERTIFIED"]
#: Slugs of the claims that certify.
Method = Literal["interpolation-certificate", "newton-certificate", "interpolation-certificate-relu"]

#: Estimates of a certificate, and whether its inequalities use the upper end (else the lower one).
_ESTIMATES = {"sigma_min": False, "residual": True, "lipschitz": True, "beta": True, "newton_step": True, "h": True}
_PLAIN = ("eta", "path_constant", "distance", "rate", "polish", "polish_distance", "weights", "reason", "method")


@dataclass(frozen=True, eq=False)
class Certificate:
    r"""What is proved of the exact floating-point numbers (X, y, v, W), or why nothing is.

    CERTIFIED by

    - `interpolation-certificate`: an exact interpolator (zero loss) lies within `distance` of W, and gradient descent
      from W with step `eta`, in exact arithmetic, converges to one: ``||r_{t+1}|| <= (1 - rate) ||r_t||``, path at
      most `distance`;
    - `newton-certificate`: an exact interpolator lies within `distance` of W;
    - `interpolation-certificate-relu`: the same for ReLU and leaky ReLU, where only `units` move, none of which
      changes its sign at any row.

    Parameters
    ----------
    verdict : "CERTIFIED" or "NOT CERTIFIED"
    reason : str or None
        Why not.
    method : str
        Slug of the statement; of the last one tried when not certified.
    net : ShallowNet
        The weights that it speaks of. After polishing they are not those that were given.
    X : (n, d) float64
    y : (n,) float64
    h, sigma_min, residual, lipschitz, beta, newton_step : Estimate or None
        ``2 L ||r|| / (c sigma_min^2)`` (Newton: ``2 L ||J^+|| ||J^+ r||``), the smallest singular value of J(W) (ReLU:
        of J_S), ||r||, L, a bound of ||J|| on the ball of radius `distance`, ||J^+ r||. None where not computed.
        Estimates of bounds (L, beta) enclose the bound, not the least such constant.
    eta, path_constant : float or None
        Step size, and the c of `gd-kantorovich` (1 when eta beta^2 <= 1).
    distance, rate : float or None
        Rounded to the safe side: upward, downward.
    polish : int
        Gauss-Newton steps made before.
    polish_distance : float
        How far they moved W (as computed).
    weights : str
        Which weights these are, in words ("given", "end of the run", "start of the run").
    units : (k,) bool or None
    step : (k, d) float64 or None
        ReLU: the units that move, and how, but for a rest that the proof bounds.

    References
    ----------
    docs/theory.md section 7.
    """

    verdict: Verdict
    reason: str | None
    method: Method
    net: ShallowNet
    X: Floats
    y: Floats
    h: Estimate | None = None
    sigma_min: Estimate | None = None
    residual: Estimate | None = None
    lipschitz: Estimate | None = None
    beta: Estimate | None = None
    newton_step: Estimate | None = None
    eta: float | None = None
    path_constant: float | None = None
    distance: float | None = None
    rate: float | None = None
    polish: int = 0
    polish_distance: float = 0.0
    weights: str = "given"
    units: NDArray[np.bool_] | None = None
    step: Floats | None = None

    @property
    def certified(self) -> bool:
        """Whether the verdict is CERTIFIED."""
        return self.verdict == "CERTIFIED"

    def inputs_sha256(self) -> str:
        """Hash of X, y, W and v: what is certified."""
        return array_digest(self._inputs()).hex()

    def _inputs(self) -> dict[str, Any]:
        return {"X": self.X, "y": self.y, "W": self.net.W, "v": self.net.v}

    def to_json(self) -> dict[str, Any]:
        """The document ``jacspec.certificate/1``; what was not computed is null."""
        n, d = self.X.shape
        return {
            "schema": "jacspec.certificate/1",
            "version": __version__,
            "verdict": self.verdict,
            "reason": self.reason,
            "method": self.method,
            **{name: _json(getattr(self, name)) for name in _ESTIMATES},
            "distance": self.distance,
            "rate": self.rate,
            "eta": self.eta,
            "path_constant": self.path_constant,
            "polish": {"steps": self.polish, "distance": self.polish_distance},
            "weights": self.weights,
            "units": None if self.units is None else int(np.count_nonzero(self.units)),
            "inputs": {
                "sha256": self.inputs_sha256(),
                "n": n,
                "d": d,
                "k": self.net.k,
                "activation": self.net.activation.name,
            },
        }

    # -- files ------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one .npz that `load` reads and ``jacspec certify --check`` proves again.

        Raises
        ------
        InputError
            If nothing is certified, or the path does not end in .npz or cannot be written.
        """
        if not self.certified:
            raise InputError("path", repr(os.fspath(path)), f"a certificate; nothing is certified here: {self.reason}")
        ends = {name: (getattr(self, name), upper) for name, upper in _ESTIMATES.items()}
        meta = {
            "version": __version__,
            "verdict": self.verdict,
            "activation": self.net.activation.name,
            # The end that the inequalities use; the full estimates follow.
            **{name: (e.upper if upper else e.lower) for name, (e, upper) in ends.items() if e is not None},
            **{name: getattr(self, name) for name in _PLAIN},
            "estimates": {name: [e.value, e.radius, e.note] for name, (e, _) in ends.items() if e is not None},
            "inputs_sha256": self.inputs_sha256(),
        }
        arrays = self._inputs()
        if self.units is not None and self.step is not None:
            arrays |= {"units": self.units, "step": self.step}
        files.write(path, arrays, meta)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Certificate:
        """Read what `save` wrote. This proves nothing again: see ``jacspec certify --check``.

        Raises
        ------
        InputError
            If the file is missing, not a certificate, has changed by one bit, or contradicts itself.
        """
        arrays, meta = files.read(path)
        estimates: dict[str, Any] = {}
        try:
            for name, (value, radius, note) in meta["estimates"].items():
                estimates[name] = e = Estimate(value, radius, True, note)
                # The recheck proves these ends: an interval must not promise more than they do.
                if meta[name] != (e.upper if _ESTIMATES[name] else e.lower):
                    raise ValueError(f"the interval of {name} is not that of the number claimed")
            found = cls(
                verdict=meta["verdict"],
                net=ShallowNet(arrays["W"], arrays["v"], meta["activation"]),
                X=frozen(check_matrix("X", arrays["X"])),
                y=frozen(check_vector("y", arrays["y"])),
                units=frozen(arrays["units"]) if "units" in arrays else None,
                step=frozen(arrays["step"]) if "step" in arrays else None,
                **estimates,
                **{name: meta[name] for name in _PLAIN},
            )
            if found.inputs_sha256() != meta["inputs_sha256"]:
                raise ValueError("inputs_sha256 is not that of its X, y, W and v")
            return found
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            expected = f"a certificate of format {files.FORMAT} ({type(error).__name__}: {error})"
            raise InputError("path", repr(os.fspath(path)), expected) from None


def frozen(array: Any) -> Any:
    """The same array, read-only."""
    array = np.asarray(array)
    array.setflags(write=False)
    return array


def _json(e: Estimate | None) -> dict[str, Any] | None:
    return None if e is None else e.to_json()
