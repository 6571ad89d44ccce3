"""The file of a certificate: read, and every byte of it held against its hash.

An .npz (zip) whose archive comment is ``jacspec.certificate/1 sha256=`` and 64 hexadecimal digits: the hash of all
bytes of the file before those digits, which are its last. Inside: float64 arrays X, y, W, v (for
`interpolation-certificate-relu` also the booleans `units` and the float64 `step`), and `meta`, JSON as bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Claimed", "Rejected", "read"]

_FORMAT = "jacspec.certificate/1"
_MARK = f"{_FORMAT} sha256=".encode()
_DIGITS = 64

_RELU = "interpolation-certificate-relu"
#: Numbers that a certificate of each method must claim; it may claim no others, for nobody would have checked them.
_NUMBERS = {
    "interpolation-certificate": (
        *("sigma_min", "residual", "lipschitz", "beta", "eta", "h", "distance", "rate", "path_constant"),
    ),
    "newton-certificate": ("sigma_min", "residual", "newton_step", "lipschitz", "h", "distance"),
    _RELU: ("sigma_min", "residual", "h", "distance"),
}
_ALL_NUMBERS = {name for names in _NUMBERS.values() for name in names}

#: Balls in the largest arrays, n (n + k): some 5 GB. FLINT ends the process where memory does.
_MOST_BALLS = 20_000_000


class Rejected(Exception):
    """The file is no certificate, or not the one that was written; the message says how."""


@dataclass(frozen=True)
class Claimed:
    """What a certificate is about, and what it claims.

    Parameters
    ----------
    X : (n, d) float64
    y : (n,) float64
    W : (k, d) float64
    v : (k,) float64
    activation, method : str
    numbers : dict of str to float
        Lower bounds: sigma_min, rate. Upper bounds: residual, lipschitz, beta, newton_step, h, distance. eta and
        path_constant (c) are what they are.
    units : (k,) bool or None
    step : (k, d) float64 or None
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    W: NDArray[np.float64]
    v: NDArray[np.float64]
    activation: str
    method: str
    numbers: dict[str, float]
    units: NDArray[np.bool_] | None = None
    step: NDArray[np.float64] | None = None

    def about(self) -> str:
        """The problem, in words, with the hash of its numbers: a proof is worth nothing of some other problem."""
        (n, d), k = self.X.shape, len(self.v)
        return f"{self.activation}, n = {n}, d = {d}, k = {k}; SHA-256 of W, X, v and y: {self.inputs_sha256()}"

    def inputs_sha256(self) -> str:
        """SHA-256 of W, X, v and y: of each its name, type and shape in words, then its bytes row by row."""
        digest = hashlib.sha256()
        for name in ("W", "X", "v", "y"):
            array = getattr(self, name)
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


def read(path: str | os.PathLike[str]) -> Claimed:
    """Read a certificate.

    Raises
    ------
    OSError
        If the file cannot be opened.
    Rejected
        If a bit of it has changed, or it is not a certificate of this format.
    """
    with open(path, "rb") as handle:
        content = handle.read()
    head, digits = content[:-_DIGITS], content[-_DIGITS:]
    if not head.endswith(_MARK):
        raise Rejected(f"not a certificate of format {_FORMAT}: the end of the file is not its hash")
    if hashlib.sha256(head).hexdigest().encode() != digits:
        raise Rejected("the file has been changed since it was written: its SHA-256 does not fit")
    try:
        _plain_members(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("meta").tobytes().decode())
    except Rejected:
        raise
    except Exception as error:  # numpy, zipfile and json raise a dozen kinds
        raise Rejected(f"its contents cannot be read ({type(error).__name__})") from None
    return _claimed(arrays, meta)


def _plain_members(content: bytes) -> None:
    """Each array once, as an uncompressed .npy: then no member is larger than the file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
    names = [m.filename for m in members]
    if not all(name.endswith(".npy") for name in names) or len(set(names)) < len(names):
        raise Rejected(f"its members are {names[:10]}; expected .npy files, each name once")
    if not all(m.compress_type == zipfile.ZIP_STORED and m.file_size <= len(content) for m in members):
        raise Rejected("its members are compressed; a certificate's are not")


def _claimed(arrays: dict[str, NDArray[Any]], meta: Any) -> Claimed:
    if not isinstance(meta, dict) or meta.get("format") != _FORMAT:
        raise Rejected(f"its description is not of format {_FORMAT}")
    if meta.get("verdict") != "CERTIFIED":
        raise Rejected(f"it certifies nothing: its verdict is {meta.get('verdict')!r}")
    method, activation = meta.get("method"), meta.get("activation")
    if not isinstance(method, str) or method not in _NUMBERS or not isinstance(activation, str):
        raise Rejected(f"method {method!r} with activation {activation!r} is not known")
    wanted = {"X", "y", "W", "v"} | ({"units", "step"} if method == _RELU else set())
    if set(arrays) != wanted:
        raise Rejected(f"its arrays are {sorted(arrays)}; expected {sorted(wanted)}")
    for name, array in arrays.items():
        kind = np.bool_ if name == "units" else np.float64
        if array.dtype != kind or array.size == 0 or not np.all(np.isfinite(array)):
            raise Rejected(f"array {name} is not made of finite numbers of type {np.dtype(kind).name}")
        if kind == np.bool_ and np.max(array.view(np.uint8)) > 1:
            raise Rejected(f"array {name} has bytes that are neither false nor true")
    X, W = arrays["X"], arrays["W"]
    if X.ndim != 2 or W.ndim != 2:
        raise Rejected("X and W must be matrices")
    (n, d), (k, wide) = X.shape, W.shape
    shapes = {"y": (n,), "v": (k,), "units": (k,), "step": (k, d)}
    if wide != d or any(arrays[name].shape != shapes[name] for name in wanted & set(shapes)):
        raise Rejected("the shapes of its arrays do not belong together")
    if n * (n + k) > _MOST_BALLS:
        raise Rejected(f"too large to be checked here: n (n + k) = {n * (n + k)}; at most {_MOST_BALLS}")
    numbers = {name: _number(name, meta.get(name)) for name in _NUMBERS[method]}
    surplus = sorted(name for name in _ALL_NUMBERS - set(numbers) if meta.get(name) is not None)
    if surplus:
        raise Rejected(f"it claims {', '.join(surplus)}, of which {method} says nothing")
    more = arrays.get("units"), arrays.get("step")
    claimed = Claimed(X, arrays["y"], W, arrays["v"], activation, method, numbers, *more)
    if meta.get("inputs_sha256") != claimed.inputs_sha256():
        raise Rejected("inputs_sha256 is not that of its W, X, v and y")
    return claimed


def _number(name: str, x: Any) -> float:
    # JSON's whole numbers have no limit, and float() of a long one raises: only float64 is written there.
    whole = isinstance(x, int) and not isinstance(x, bool) and abs(x) < 2**53
    if not (whole or isinstance(x, float)) or not math.isfinite(x) or x < 0:
        shown = repr(x)
        raise Rejected(f"{name} is {shown[:40]}; expected a finite number that is not negative")
    return float(x)
