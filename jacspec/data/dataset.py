"""The value `Dataset`, and `load`, which makes one out of a file, a spec or arrays."""

from __future__ import annotations

import hashlib
import math
import os
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import InputError, check_matrix, check_unit_rows, check_vector
from .files import ask_dense, read_array
from .sources import DATA_KINDS, LABEL_KINDS, Drawn, draw, find_spec, unit_rows
from .structure import RowStructure, row_structure, scaled_rows

__all__ = ["Dataset", "load", "normalize_rows"]

Floats = NDArray[np.float64]
Source = str | os.PathLike[str] | ArrayLike | tuple[ArrayLike, ArrayLike]


def _own(array: Floats) -> Floats:
    """A read-only C-contiguous array that nobody else can write to."""
    if array.flags.writeable or not array.flags.owndata or not array.flags.c_contiguous:
        array = np.array(array, dtype=np.float64, order="C")
        array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Dataset:
    """Data with unit rows, and labels if there are any. Arrays are read-only copies.

    Parameters
    ----------
    X : (n, d) float64
        Unit rows, one sample each.
    raw : (n, d) float64
        The rows before normalisation: the same object as X when `load` divided by no norm. Statements about exact
        structure are about these.
    y : (n,) float64 or None
        Labels, not all zero.
    source : str
        The path or spec as it was typed, or "array".
    normalized : bool
        Whether `load` divided the rows by their norms.

    Raises
    ------
    InputError
        If the arrays are not finite, do not fit each other, a row of X is not unit, or y is zero.

    Examples
    --------
    >>> data = load([[3.0, 4.0], [6.0, 8.0], [0.0, -2.0]], normalize=True, labels=[1, 1, -1])
    >>> data.X.tolist()
    [[0.6, 0.8], [0.6, 0.8], [0.0, -1.0]]
    >>> data.n, data.d, data.structure.rank, data.structure.repeated
    (3, 2, 2, ((0, 1),))
    """

    X: Floats
    raw: Floats
    y: Floats | None
    source: str
    normalized: bool

    def __post_init__(self) -> None:
        X = _own(check_matrix("X", self.X))
        check_unit_rows("X", X)
        raw = X if self.raw is self.X else _own(check_matrix("raw", self.raw))
        if raw.shape != X.shape:
            raise InputError("raw", raw, f"the shape {X.shape} of X")
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "raw", raw)
        if self.y is not None:
            object.__setattr__(self, "y", _own(_check_labels("y", check_vector("y", self.y, length=X.shape[0]))))

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Pickled arrays come back writable; a Dataset that reached a worker stays as frozen as the original.
        self.__dict__.update(state)
        for array in (self.X, self.raw, self.y):
            if array is not None:
                array.flags.writeable = False

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self.X.shape[0])

    @property
    def d(self) -> int:
        """Number of columns."""
        return int(self.X.shape[1])

    @cached_property
    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of n and d (little-endian int64 each) followed by the little-endian bytes of X."""
        digest = hashlib.sha256(np.array(self.X.shape, dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(self.X, dtype="<f8").data)
        return digest.hexdigest()

    @cached_property
    def row_norm_defect(self) -> float:
        r"""``max_i | ||x_i||^2 - 1 |``, correctly rounded but for products below 2^-1021."""
        worst = 0.0
        step = max(1, (1 << 18) // self.d)
        for start in range(0, self.n, step):
            block = self.X[start : start + step]
            # Dekker: x = high + low with 26 bits each, so that x^2 = square + rest exactly; fsum rounds once.
            split = 134217729.0 * block
            high = split - (split - block)
            low = block - high
            square = block * block
            rest = ((high * high - square) + 2 * high * low) + low * low
            for row in np.concatenate([square, rest, np.full((len(block), 1), -1.0)], axis=1).tolist():
                worst = max(worst, abs(math.fsum(row)))
        return worst

    @cached_property
    def structure(self) -> RowStructure:
        """Exact rank, repeated and antipodal rows of `raw` (see `RowStructure`); found once, on first use."""
        return row_structure(self.raw)

    def to_json(self) -> dict[str, Any]:
        """The ``data`` object of the JSON contract ``jacspec.constants/1``."""
        return {
            "source": self.source,
            "n": self.n,
            "d": self.d,
            "rank": self.structure.rank,
            "rank_proved": self.structure.rank_proved,
            "sha256": self.sha256,
            "repeated_rows": [list(pair) for pair in self.structure.repeated],
            "antipodal_rows": [list(pair) for pair in self.structure.antipodal],
            "row_norm_defect": self.row_norm_defect,
            "normalized": self.normalized,
        }


def normalize_rows(A: ArrayLike, *, argument: str = "data") -> Floats:
    r"""Rows divided by their norms, without overflow or underflow.

    Each row is first multiplied by the power of two that brings its largest entry into [1/2, 1), which is exact.

    Parameters
    ----------
    A : (n, d) float64
    argument : str
        Name of the argument, for messages.

    Returns
    -------
    (n, d) float64, unit rows; each within ``gamma_{d/2+3}`` of the exact ``a_i / ||a_i||`` in relative norm.

    Raises
    ------
    InputError
        If A is not a nonempty finite 2-D real array, or has a zero row (the message names it).

    Examples
    --------
    >>> normalize_rows([[3e300, 4e300], [-5e-324, 0.0]]).tolist()
    [[0.6, 0.8], [-1.0, 0.0]]
    """
    A = check_matrix(argument, A)
    _check_no_zero_row(argument, A)
    return unit_rows(scaled_rows(A)[0])


def load(
    source: Source,
    *,
    normalize: bool = False,
    rows: str | slice | None = None,
    labels: str | os.PathLike[str] | ArrayLike | None = None,
    drop_repeated: bool = False,
) -> Dataset:
    """Data from a file, a spec, an array, or a pair of arrays.

    Parameters
    ----------
    source : path, spec, (n, d) array, or tuple ((n, d) array, (n,) array)
        Files: .npy, .npz ``::key``, .csv .tsv .txt (header or not; semicolon, tab, comma or white space), .mat
        ``::name``, .mtx, .parquet, .safetensors ``::name``. Specs: ``sphere:n=50,d=20,seed=0``
        (``default_rng(seed).standard_normal((n, d))``, rows over their norms), ``gaussian:n=50,d=20,seed=0`` (the same
        rows as drawn), ``clusters:n=60,d=10,groups=6,angle=0.1,seed=0`` (rows between angle/2 and angle from unit
        centre i mod groups), ``sklearn:iris`` (wine, breast_cancer, digits, diabetes; with their labels). The seed is 0
        unless given. A string that begins with a known kind and a colon is a spec; write ``./sphere:x`` for a file
        of such a name. Entries that are not float64 are converted first; booleans become 0 and 1.
    normalize : bool
        Divide rows by their norms (rows that a spec draws on the sphere stay as they are).
    rows : "a:b" or slice, optional
        Rows to keep, counted from 0; negative numbers count from the end. Bounds outside the data are an error, not
        cut off, and so is an empty selection.
    labels : path, ``signs:seed=0``, ``normal:seed=0``, or array, optional
        One column or row with a number for each row, counted before or after `rows`; they replace labels that the
        source brings. Random labels are drawn for all rows of the source, from streams of their own.
    drop_repeated : bool
        Keep only the first row of each direction that occurs (and its label): see `RowStructure.repeated`.
        Antipodal rows stay.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        One line that names the argument, the value and what was expected.
    CapacityError
        If the rows would not fit in memory.

    Examples
    --------
    >>> data = load("sphere:n=50,d=20,seed=0", labels="signs:seed=1")
    >>> data.X.shape, data.structure.rank, data.row_norm_defect < 1e-15
    ((50, 20), 20, True)
    >>> load("gaussian:n=5,d=3", normalize=True).sha256 == load("sphere:n=5,d=3").sha256
    True
    >>> load("shpere:n=5,d=3")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    jacspec._checks.InputError: data: got 'shpere:n=5,d=3'; expected a file, ...; did you mean 'sphere'?
    """
    name, drawn = _read(source)
    array = drawn.array
    if array.ndim != 2:
        raise InputError("data", array, "a 2-D array: one row for each sample")
    total = array.shape[0]
    selection = _check_rows(rows, total)
    raw = check_matrix("data", array[selection])
    _check_no_zero_row("data", raw)
    y = _labels(labels, drawn.labels, total, selection)
    if drop_repeated:
        keep = np.ones(raw.shape[0], dtype=bool)
        keep[[j for _, j in row_structure(raw, budget=0.0).repeated]] = False
        raw, y = raw[keep], None if y is None else y[keep]
    if y is not None and labels is None and rows is not None and not y.any():
        y = None  # a data set's own labels that a slice leaves all zero (iris 0:50) are no labels
    if y is not None:
        _check_labels("labels", y)
    normalized = normalize and not drawn.unit
    if normalized:
        return Dataset(normalize_rows(raw), raw, y, name, True)
    check_unit_rows("data", raw)
    return Dataset(raw, raw, y, name, False)


def _read(source: Source) -> tuple[str, Drawn]:
    if isinstance(source, (str, os.PathLike)):
        text = os.fspath(source)
        if isinstance(text, str):
            return text, _from_text("data", text, isinstance(source, str))
        raise InputError("data", text, "a path as str, not bytes")
    if isinstance(source, tuple) and len(source) == 2:
        first, second = _as_array("data", source[0]), source[1]
        # ((1, 0), (0, 1)) is a matrix of two rows; a pair starts with a matrix.
        if first.ndim == 2:
            return "array", Drawn(first, _column("labels", _as_array("labels", second)))
    return "array", Drawn(_as_array("data", source))


def _from_text(argument: str, text: str, may_be_spec: bool) -> Drawn:
    kind = find_spec(text, DATA_KINDS) if may_be_spec else None
    if kind is not None and (kind in DATA_KINDS or not os.path.exists(text)):
        return draw(argument, text, DATA_KINDS)
    return Drawn(_as_array(argument, read_array(argument, text)))


def _as_array(argument: str, value: Any) -> NDArray[Any]:
    """`value` as an array of real numbers of any shape; checked for finiteness later, once rows are selected."""
    expected = "an array of real numbers"
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InputError(argument, "an array with masked entries", "an array without them")
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        ask_dense(argument, *value.shape)
        value = value.toarray()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise InputError(argument, "a ragged or unreadable sequence", expected) from None
    if array.dtype.kind not in "fiub":
        shown = " ".join(str(array.dtype).split())
        what = repr(value)[:60] if array.ndim == 0 else f"an array of dtype {shown[:60]}"
        raise InputError(argument, what, expected)
    return array


def _check_no_zero_row(argument: str, A: Floats) -> None:
    zero = ~A.any(axis=1)
    if zero.any():
        raise InputError(argument, f"a zero row, number {int(np.argmax(zero))}", "rows with a direction; leave it out")


def _check_rows(rows: str | slice | None, n: int) -> slice:
    """`rows` as a slice with nonnegative bounds inside 0..n that selects something."""
    expected = f"'a:b' with bounds inside the {n} rows (negative ones count from the end) that selects at least one row"
    if rows is None:
        return slice(0, n)
    if isinstance(rows, str):
        match = re.fullmatch(r"\s*([+-]?[0-9]{1,18})?\s*:\s*([+-]?[0-9]{1,18})?\s*", rows)
        if match is None:
            raise InputError("rows", repr(rows), expected)
        chosen = slice(*(None if part is None else int(part) for part in match.groups()))
    elif isinstance(rows, slice):
        chosen = rows
    else:
        raise InputError("rows", rows, expected)
    try:
        start, stop, step = chosen.indices(n)
    except (TypeError, ValueError):
        raise InputError("rows", rows, expected) from None
    outside = any(bound is not None and not -n <= bound <= n for bound in (chosen.start, chosen.stop))
    if outside or step < 0 or start >= stop:
        raise InputError("rows", repr(rows) if isinstance(rows, str) else rows, expected)
    return slice(start, stop, step)


def _column(argument: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim != 1:
        raise InputError(argument, array, "one column or row of numbers")
    return array


def _labels(labels: Any, brought: NDArray[Any] | None, total: int, selection: slice) -> Floats | None:
    """The labels of the selected rows, or None."""
    if labels is None:
        if brought is None:
            return None
        labels = brought
    if isinstance(labels, (str, os.PathLike)):
        text = str(labels)
        kind = find_spec(text, LABEL_KINDS) if isinstance(labels, str) else None
        if kind is not None and (kind in LABEL_KINDS or not os.path.exists(text)):
            column: NDArray[Any] = draw("labels", text, LABEL_KINDS, {"n": total}).array
        else:
            column = _as_array("labels", read_array("labels", text))
    else:
        column = _as_array("labels", labels)
    column = _column("labels", column)
    selected = len(range(*selection.indices(total)))
    if column.shape[0] == total:
        column = column[selection]
    elif column.shape[0] != selected:
        either = f"{total}" if selected == total else f"{total} (all rows) or {selected} (the selected ones)"
        raise InputError("labels", f"{column.shape[0]} labels", f"one for each row: {either}")
    return check_vector("labels", column)


def _check_labels(argument: str, y: Floats) -> Floats:
    if not y.any():
        raise InputError(argument, f"{y.shape[0]} zeros", "labels that are not all zero; y = 0 leaves nothing to learn")
    return y
