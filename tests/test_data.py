"""Data: bad calls, specs, rows and labels, the value, normalising."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import sys
import zipfile
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jacspec._checks import CapacityError, InputError
from jacspec.data import (
    Dataset,
    load,
    normalize_rows,
)
from jacspec.rounding import UNIT_ROUNDOFF

EYE = np.eye(3)
Y = np.array([1.0, -1.0, 2.0])


# -- bad calls ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of good and damaged files, and the working directory while the table of bad calls runs."""
    path = tmp_path_factory.mktemp("files")
    np.save(path / "eye.npy", EYE)
    np.save(path / "cube.npy", np.zeros((2, 2, 2)))
    np.save(path / "complex.npy", EYE * 1j)
    np.save(path / "text.npy", np.array([["a", "b"]]))
    np.save(path / "object.npy", np.array([[1, None]], dtype=object))
    np.savez(path / "two.npz", train=EYE, test=EYE)
    np.savez(path / "none.npz")
    (path / "empty.npy").write_bytes(b"")
    (path / "empty.csv").write_bytes(b"")
    (path / "words.npy").write_text("1,2\n3,4\n")
    (path / "zip.npy").write_bytes((path / "two.npz").read_bytes())
    (path / "short.npy").write_bytes((path / "eye.npy").read_bytes()[:-7])
    (path / "head.npy").write_bytes((path / "eye.npy").read_bytes()[:20])
    (path / "nozip.npz").write_text("not a zip")
    (path / "npy.npz").write_bytes((path / "eye.npy").read_bytes())
    (path / "short.npz").write_bytes((path / "two.npz").read_bytes()[:-30])
    stored = bytearray((path / "two.npz").read_bytes())
    stored[stored.index(EYE.tobytes()) + 3] ^= 1  # a flipped bit in the numbers: the zip checksum must notice
    (path / "flipped.npz").write_bytes(stored)
    with zipfile.ZipFile(path / "pickle.npz", "w") as archive:
        buffer = io.BytesIO()
        np.save(buffer, np.array([[1, "x"]], dtype=object), allow_pickle=True)
        archive.writestr("x.npy", buffer.getvalue())
    for name, text in {
        "ragged.csv": "1,2\n3,4\n5\n",
        "word.csv": "a,b\n1,2\n3,x\n",
        "hole.csv": "1,2\n3,\n",
        "comma.csv": "1,5;2,5\n",
        "under.csv": "1_0,2\n",
        "header.csv": "a,b\n",
        "names.csv": "a,b,c\n1,2\n",
        "index.csv": ",a\n0,1\n1,2\n",
        "nan.csv": "1,0\nnan,1\n",
        "mixed.csv": "1,b\n1,2\n",
        "bad.mtx": "1 2\n",
        "big.mtx": "%%MatrixMarket matrix coordinate real general\n9000000 9000000 1\n1 1 1.0\n",
        "bad.mat": "nothing like a MATLAB file " * 20,
        "bad.parquet": "PAR1",
        "bad.safetensors": "xxxxxxxxxxxxxxx",
        "file.xyz": "1",
        "noname": "1",
    }.items():
        (path / name).write_text(text)
    (path / "null.csv").write_bytes(b"1,2\n3,\x00\n")
    (path / "latin.csv").write_bytes(b"1,2\n3,\xff\xfe\n")
    (path / "utf16.csv").write_bytes("1,2\n".encode("utf-16"))
    (path / "dir.npy").mkdir()
    os.mkfifo(path / "pipe.npy")
    return path


# (source, keywords, argument named, words that must appear)
BAD = [
    # specs
    ("sphere:n=5", {}, "data", ["sphere:n=5", "a value for d", "sphere:n=50,d=20"]),
    ("sphere", {}, "data", ["a value for n"]),
    ("sphere:", {}, "data", ["a value for n"]),
    ("sphere:n=5,d=2,sede=1", {}, "data", ["'sede=1'", "did you mean 'seed'?"]),
    ("sphere:n=5,d=2,n=6", {}, "data", ["n is repeated"]),
    ("sphere:n=5,d", {}, "data", ["'d'", "d=value"]),
    ("sphere:n=5,,d=2", {}, "data", ["keys n, d, seed"]),
    ("sphere:n=five,d=2", {}, "data", ["n=five", "an integer"]),
    ("sphere:n=1_0,d=2", {}, "data", ["n=1_0", "an integer"]),
    ("sphere:n=2.0,d=2", {}, "data", ["n=2.0", "an integer"]),
    ("sphere:n=,d=2", {}, "data", ["n=", "an integer"]),
    ("sphere:n=0,d=2", {}, "data", ["n=0", "at least 1"]),
    ("sphere:n=5,d=-2", {}, "data", ["d=-2", "at least 1"]),
    ("sphere:n=5,d=2,seed=-1", {}, "data", ["seed=-1", "at least 0"]),
    ("sphere:n=5,d=2,seed=" + "9" * 30, {}, "data", ["at most"]),
    ("sphere:n=5,d=2,seed=" + "9" * 9000, {}, "data", ["an integer"]),
    ("sper:n=5,d=2", {}, "data", ["'sper:n=5,d=2'", "did you mean 'sphere'?"]),
    ("Sphere:n=5,d=2", {}, "data", ["did you mean 'sphere'?"]),
    ("quux:n=5", {}, "data", ["sphere:n=50,d=20,seed=0"]),
    ("gaussian:n=5,d=2", {}, "data", ["norm", "--normalize"]),
    ("clusters:n=5,d=1,groups=2,angle=0.1", {}, "data", ["d=1", "at least 2"]),
    ("clusters:n=5,d=3,groups=6,angle=0.1", {}, "data", ["groups=6", "at most n = 5"]),
    ("clusters:n=5,d=3,groups=2", {}, "data", ["angle"]),
    ("clusters:n=5,d=3,groups=2,angle=nan", {}, "data", ["angle=nan", "finite"]),
    ("clusters:n=5,d=3,groups=2,angle=-0.1", {}, "data", ["angle=-0.1", ">= 0"]),
    ("clusters:n=5,d=3,groups=2,angle=wide", {}, "data", ["angle=wide", "finite number"]),
    ("sklearn:irs", {}, "data", ["did you mean 'iris'?"]),
    ("sklearn:", {}, "data", ["iris|wine"]),
    ("sklearn:fetch_openml", {}, "data", ["iris|wine"]),
    # files
    ("missing.npy", {}, "data", ["'missing.npy'", "exists"]),
    ("eye.np", {}, "data", ["did you mean 'eye.npy'?"]),
    ("eye.npy/x.npy", {}, "data", ["exists"]),
    ("nowhere/x.npy", {}, "data", ["exists"]),
    ("a\0b.npy", {}, "data", ["can be read"]),
    ("", {}, "data", ["exists"]),
    (".", {}, "data", ["a directory"]),
    ("dir.npy", {}, "data", ["a directory"]),
    ("pipe.npy", {}, "data", ["a pipe or device"]),
    ("file.xyz", {}, "data", [".npy, .npz, .csv"]),
    ("noname", {}, "data", [".npy, .npz, .csv"]),
    ("empty.npy", {}, "data", ["not empty"]),
    ("empty.csv", {}, "data", ["not empty"]),
    ("words.npy", {}, "data", ["a NumPy .npy file"]),
    ("zip.npy", {}, "data", ["a NumPy .npy file"]),
    ("short.npy", {}, "data", ["a NumPy .npy file"]),
    ("head.npy", {}, "data", ["a NumPy .npy file"]),
    ("object.npy", {}, "data", ["a NumPy .npy file"]),
    ("eye.npy::x", {}, "data", ["no '::x'", "one array"]),
    ("cube.npy", {}, "data", ["(2, 2, 2)", "2-D"]),
    ("complex.npy", {}, "data", ["complex128"]),
    ("text.npy", {}, "data", ["<U1"]),
    ("two.npz", {}, "data", ["train, test"]),
    ("two.npz::trian", {}, "data", ["did you mean 'train'?"]),
    ("two.npz::", {}, "data", ["train, test"]),
    ("none.npz", {}, "data", ["at least one array"]),
    ("nozip.npz", {}, "data", ["(zip) archive"]),
    ("npy.npz", {}, "data", ["(zip) archive"]),
    ("short.npz", {}, "data", ["(zip) archive"]),
    ("flipped.npz::train", {}, "data", ["(zip) archive", "CRC"]),
    ("pickle.npz", {}, "data", ["(zip) archive"]),
    ("ragged.csv", {}, "data", ["1 cells", "line 3", "2"]),
    ("word.csv", {}, "data", ["'x'", "column 2", "line 3", "a number"]),
    ("hole.csv", {}, "data", ["an empty cell", "column 2", "line 2"]),
    ("comma.csv", {}, "data", ["'1,5'", "line 1", "decimal point"]),
    ("under.csv", {}, "data", ["'1_0'", "line 1"]),
    ("header.csv", {}, "data", ["at least one line of numbers"]),
    ("names.csv", {}, "data", ["3 names", "line 1"]),
    ("index.csv", {}, "data", ["index=False"]),
    ("nan.csv", {"normalize": True}, "data", ["nan", "(1, 0)", "finite"]),
    ("mixed.csv", {}, "data", ["'b'", "line 1"]),
    ("null.csv", {}, "data", ["line 2", "binary"]),
    ("latin.csv", {}, "data", ["UTF-8"]),
    ("utf16.csv", {}, "data", ["UTF-8"]),
    ("bad.mtx", {}, "data", ["Matrix Market"]),
    ("bad.mat", {}, "data", ["MATLAB"]),
    ("bad.parquet", {}, "data", ["Parquet"]),
    ("bad.safetensors", {}, "data", ["safetensors"]),
    (b"eye.npy", {}, "data", ["real numbers"]),
    # arrays
    (3.0, {}, "data", ["2-D"]),
    (None, {}, "data", ["None", "real numbers"]),
    ([1.0, 2.0], {}, "data", ["2-D"]),
    ([[1.0], [1.0, 2.0]], {}, "data", ["ragged"]),
    (np.zeros((0, 3)), {}, "data", ["(0, 3)"]),
    (np.zeros((3, 0)), {}, "data", ["(3, 0)"]),
    (EYE * 1j, {}, "data", ["complex128"]),
    (EYE.astype(object), {}, "data", ["object"]),
    (np.array([["1", "2"]]), {}, "data", ["<U1"]),
    (EYE.astype("M8[s]"), {}, "data", ["datetime64"]),
    (np.ma.masked_array(EYE, mask=EYE > 0), {}, "data", ["masked"]),
    ([[1.0, math.inf]], {"normalize": True}, "data", ["inf", "(0, 1)"]),
    ([[1.0, 0.0], [0.0, 0.0]], {}, "data", ["zero row", "1"]),
    ([[1.0, 0.0], [0.0, -0.0]], {"normalize": True}, "data", ["zero row", "1"]),
    ([[1.0, 0.0], [0.6, 0.9]], {}, "data", ["row 1", "--normalize"]),
    ([[1e300, 1e300]], {}, "data", ["row 0", "--normalize"]),
    (EYE.astype(np.float32) * np.float32(1 + 1e-6), {}, "data", ["--normalize"]),
    # rows
    *[
        (EYE, {"rows": r}, "rows", [repr(r), "3 rows"])
        for r in ["", "1", "a:b", "0:1:2", "0:4", "-4:", "2:2", "2:1", "3:"]
    ],
    (EYE, {"rows": 1}, "rows", ["'a:b'"]),
    (EYE, {"rows": True}, "rows", ["'a:b'"]),
    (EYE, {"rows": slice(None, None, -1)}, "rows", ["'a:b'"]),
    (EYE, {"rows": slice(None, None, 0)}, "rows", ["'a:b'"]),
    (EYE, {"rows": slice(0.5, 2)}, "rows", ["'a:b'"]),
    # labels
    (EYE, {"labels": [1, 2]}, "labels", ["2 labels", "3"]),
    (EYE, {"labels": [1, 2, 3, 4], "rows": "0:2"}, "labels", ["4 labels", "3 (all rows) or 2 (the selected ones)"]),
    (EYE, {"labels": [0, 0, 0]}, "labels", ["3 zeros", "not all zero"]),
    (EYE, {"labels": [0, 0, 5], "rows": "0:2"}, "labels", ["2 zeros"]),
    (EYE, {"labels": [1, math.nan, 0]}, "labels", ["nan", "index 1"]),
    (EYE, {"labels": EYE}, "labels", ["one column"]),
    (EYE, {"labels": 1.0}, "labels", ["one column"]),
    (EYE, {"labels": [1j, 2, 3]}, "labels", ["complex128"]),
    (EYE, {"labels": ["a", "b", "c"]}, "labels", ["<U1"]),
    (EYE, {"labels": "sings:seed=0"}, "labels", ["did you mean 'signs'?"]),
    (EYE, {"labels": "signs:sed=0"}, "labels", ["did you mean 'seed'?"]),
    (EYE, {"labels": "signs:n=3"}, "labels", ["'n=3'", "keys seed"]),
    (EYE, {"labels": "normal:seed=x"}, "labels", ["seed=x"]),
    (EYE, {"labels": "missing.npy"}, "labels", ["'missing.npy'"]),
    (EYE, {"labels": "eye.npy"}, "labels", ["one column"]),
    (EYE, {"labels": "words.npy"}, "labels", ["a NumPy .npy file"]),
    ((EYE, [1, 2]), {}, "labels", ["2 labels"]),
    ((EYE, [0, 0, 0]), {}, "labels", ["3 zeros"]),
]


@pytest.mark.parametrize(
    "source, keywords, argument, words", BAD, ids=[f"{i}-{str(b[0])[:24]!r}" for i, b in enumerate(BAD)]
)
def test_bad_calls(folder, monkeypatch, source, keywords, argument, words):
    monkeypatch.chdir(folder)
    with pytest.raises(InputError) as caught:
        load(source, **keywords)
    message = str(caught.value)
    assert caught.value.argument == argument
    assert message.startswith(argument + ": got ")
    assert "; expected " in message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_sparse_matrix_that_does_not_fit(folder):
    with pytest.raises(CapacityError, match="9000000 x 9000000"):
        load(str(folder / "big.mtx"))
    with pytest.raises(CapacityError, match="sphere"):
        load("sphere:n=100000000,d=1000000")


def test_permission_denied(folder, monkeypatch):
    # Root may read everything, so the refusal is played.
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        load(str(folder / "eye.npy"))


@pytest.mark.parametrize(
    "module, source, extra",
    [
        ("sklearn", "sklearn:iris", "datasets"),
        ("pyarrow", "bad.parquet", "parquet"),
        ("safetensors", "bad.safetensors", "safetensors"),
    ],
)
def test_missing_extra(folder, monkeypatch, module, source, extra):
    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as caught:
        load(source)
    assert f"pip install 'jacspec[{extra}]'" in str(caught.value)
    assert "\n" not in str(caught.value)


# -- rows, labels, dropping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows, expected",
    [
        ("0:2", [0, 1]),
        (":", [0, 1, 2, 3, 4]),
        ("3:", [3, 4]),
        (":-3", [0, 1]),
        ("-2:", [3, 4]),
        (" 1 : 2 ", [1]),
        ("0:5", [0, 1, 2, 3, 4]),
        (slice(None, None, 2), [0, 2, 4]),
        (slice(1, 4), [1, 2, 3]),
        (None, [0, 1, 2, 3, 4]),
    ],
)
def test_rows(rows, expected):
    data = load(np.eye(5), rows=rows, labels=np.arange(1.0, 6.0))
    assert np.array_equal(data.X, np.eye(5)[expected])
    assert data.y.tolist() == [i + 1 for i in expected]


def test_rows_outside_the_selection_may_be_bad():
    assert load([[1.0, 0.0], [math.nan, 0.0]], rows="0:1").n == 1


def test_labels_counted_after_slicing():
    assert load(EYE, rows="1:3", labels=[5, 6]).y.tolist() == [5, 6]
    assert load((EYE, Y), rows="1:3").y.tolist() == [-1, 2]
    assert load((EYE, Y), labels=[[4], [5], [6]]).y.tolist() == [4, 5, 6]
    assert load((EYE, Y), labels=np.array([[True, False, True]])).y.tolist() == [1, 0, 1]
    assert load(((1.0, 0.0), (0.0, 1.0))).y is None  # a tuple of two rows is a matrix


def test_random_labels():
    signs = load("sphere:n=400,d=3", labels="signs:seed=0").y
    assert set(signs.tolist()) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.25
    normal = load("gaussian:n=400,d=3", labels="normal", normalize=True)
    assert abs(normal.y.std() - 1) < 0.2
    # Same seed, yet not the stream that X came from.
    assert abs(np.corrcoef(normal.y, normal.raw.ravel()[:400])[0, 1]) < 0.2
    assert np.array_equal(load("sphere:n=400,d=3", rows="100:200", labels="signs").y, signs[100:200])
    assert not np.array_equal(load("sphere:n=400,d=3", labels="signs:seed=1").y, signs)


def test_drop_repeated():
    A = [[1, 2], [-1, -2], [3, 6], [0, 1], [-5, -10], [0, 2]]
    data = load(A, normalize=True, labels=[1, 2, 3, 4, 5, 6], drop_repeated=True)
    assert data.raw.tolist() == [[1, 2], [-1, -2], [0, 1]]
    assert data.y.tolist() == [1, 2, 4]
    assert data.structure.repeated == ()
    assert data.structure.antipodal == ((0, 1),)
    # Exactly on the rows as given: normalised, these multiples differ in the last place.
    base = np.random.default_rng(0).integers(1, 99, (30, 5))
    assert load(np.concatenate([base, 3 * base]), normalize=True, drop_repeated=True).n == 30
    with pytest.raises(InputError, match="1 zeros"):
        load([[1.0], [2.0]], normalize=True, labels=[0, 1], drop_repeated=True)


# -- the value ------------------------------------------------------------------------------------------------------


def test_dataset_is_frozen_and_owns_its_arrays():
    A, y = np.eye(3), Y.copy()
    data = load(A, labels=y)
    A[0], y[0] = 0, 7
    assert np.array_equal(data.X, EYE)
    assert data.y[0] == 1
    assert data.raw is data.X
    for array in (data.X, data.y):
        assert array.flags.c_contiguous
        assert array.dtype == np.float64
        with pytest.raises(ValueError):
            array[0] = 1
    with pytest.raises(AttributeError):
        data.X = EYE
    scaled = load(np.asfortranarray(2 * EYE), normalize=True)
    with pytest.raises(ValueError):
        scaled.raw[0] = 1
    assert scaled.X.flags.c_contiguous
    assert scaled.raw.flags.c_contiguous
    assert scaled.raw is not scaled.X


def test_dataset_survives_pickling():
    for data in (load((EYE, Y)), load((2 * EYE, Y), normalize=True)):
        again = pickle.loads(pickle.dumps(data))
        assert again.sha256 == data.sha256
        assert (again.raw is again.X) == (data.raw is data.X)
        assert not any(array.flags.writeable for array in (again.X, again.raw, again.y))


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "f2", ">f4", "g"])
def test_real_dtypes(dtype):
    data = load(EYE.astype(dtype))
    assert data.X.dtype == np.float64
    assert np.array_equal(data.X, EYE)


def test_dataset_checks_what_it_is_given():
    for X, raw, y, argument in [
        (2 * EYE, EYE, None, "X"),
        (EYE, np.eye(2), None, "raw"),
        (EYE, EYE, [1, 2], "y"),
        (EYE, EYE, [0, 0, 0], "y"),
    ]:
        with pytest.raises(InputError) as caught:
            Dataset(X, raw, y, "array", False)
        assert caught.value.argument == argument


def test_sha256_is_of_shape_and_bytes():
    data = load("sphere:n=6,d=4")
    content = (6).to_bytes(8, "little") + (4).to_bytes(8, "little") + data.X.astype("<f8").tobytes()
    assert data.sha256 == hashlib.sha256(content).hexdigest()
    assert load(np.ones((4, 1))).sha256 != load(np.ones((4, 1)) * -1).sha256
    assert load(np.eye(4)[:2, :2]).sha256 != load([[1.0], [1], [1], [1]]).sha256


def test_json_object():
    data = load([[2, 0], [1, 0], [-1, 0], [0, 3]], normalize=True)
    assert json.loads(json.dumps(data.to_json())) == {
        "source": "array",
        "n": 4,
        "d": 2,
        "rank": 2,
        "rank_proved": True,
        "sha256": data.sha256,
        "repeated_rows": [[0, 1]],
        "antipodal_rows": [[0, 2]],
        "row_norm_defect": 0.0,
        "normalized": True,
    }


def exact_defect(X):
    return max(abs(sum(Fraction(x) ** 2 for x in row) - 1) for row in X.tolist())


@pytest.mark.parametrize(
    "spec", ["sphere:n=30,d=3", "sphere:n=5,d=700,seed=2", "sphere:n=40,d=1", "clusters:n=9,d=5,groups=2,angle=1e-9"]
)
def test_row_norm_defect_is_correctly_rounded(spec):
    data = load(spec)
    assert data.row_norm_defect == float(exact_defect(data.X))


def test_row_norm_defect_of_decimal_data():
    data = load([[0.6, 0.8], [0.28, 0.96], [1.0, 1e-200], [1.0, 4e-13]])
    assert data.row_norm_defect == float(exact_defect(data.X)) > 0


rows_of_any_size = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.one_of(st.just(0.0), st.floats(-4, 4), st.floats(allow_nan=False, allow_infinity=False)),
).filter(lambda A: A.any(axis=1).all())


@given(rows_of_any_size)
@example(np.array([[5e-324, 0.0]]))
@example(np.array([[1.7976931348623157e308] * 4]))
@example(np.array([[5e-324, 1.7976931348623157e308], [1e-310, 3e-310]]))
@settings(deadline=None)
def test_normalisation_is_accurate_at_every_scale(A):
    d = A.shape[1]
    X = normalize_rows(A)
    for a, x in zip(A.tolist(), X.tolist(), strict=True):
        a, x = [Fraction(v) for v in a], [Fraction(v) for v in x]
        square = sum(v * v for v in a)
        # |x_j - a_j/||a||| <= (d/2 + 3) u |a_j|/||a|| + underflow, without a square root: s x_j^2 against a_j^2.
        bound = Fraction(2 * (d / 2 + 3) * UNIT_ROUNDOFF) * 2
        for v, w in zip(a, x, strict=True):
            assert abs(square * w * w - v * v) <= bound * v * v + square * Fraction(2) ** -1070
            assert (w > 0) == (v > 0) or w == 0
        assert abs(sum(w * w for w in x) - 1) <= (d + 8) * Fraction(UNIT_ROUNDOFF)


@given(rows_of_any_size, st.integers(-40, 40))
@settings(deadline=None)
def test_normalisation_ignores_powers_of_two(A, power):
    with np.errstate(over="ignore"):
        scaled = np.ldexp(A, power)
    if np.isfinite(scaled).all() and np.array_equal(np.ldexp(scaled, -power), A):
        assert np.array_equal(normalize_rows(scaled), normalize_rows(A))


def test_labels_that_a_slice_leaves_zero_are_no_labels() -> None:
    assert load("sklearn:iris", normalize=True, rows="0:50").y is None
    assert load("sklearn:iris", normalize=True, rows="0:51").y is not None
