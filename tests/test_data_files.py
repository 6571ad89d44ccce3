"""Files of data: what each reader and dialect gives, against other readers."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jacspec._checks import CapacityError, InputError
from jacspec.data import (
    files,
    load,
)
from jacspec.data.mat_mtx import matlab_variables, read_matrix_market

EYE = np.eye(3)
Y = np.array([1.0, -1.0, 2.0])


# -- files ----------------------------------------------------------------------------------------------------------


def write(path, A):
    if path.suffix == ".npy":
        np.save(path, A)
    elif path.suffix == ".npz":
        np.savez(path, x=A)
    elif path.suffix in (".csv", ".tsv", ".txt"):
        np.savetxt(path, A, delimiter={".csv": ",", ".tsv": "\t", ".txt": " "}[path.suffix], fmt="%.17g")
    elif path.suffix in (".mat", ".mtx"):
        from scipy import io as scipy_io

        if path.suffix == ".mat":
            scipy_io.savemat(path, {"x": A})
        else:
            scipy_io.mmwrite(path, A, precision=17)
    elif path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({f"c{j}": A[:, j] for j in range(A.shape[1])}), path)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({"x": np.ascontiguousarray(A)}, path)
    else:
        raise AssertionError(path)


@pytest.mark.parametrize("extension", sorted(files.FORMATS))
@pytest.mark.parametrize("shape", [(7, 3), (1, 4), (5, 1)])
def test_round_trip(tmp_path, extension, shape):
    A = np.random.default_rng(0).standard_normal(shape) * np.array(1e3) ** np.arange(-1, shape[1] - 1)
    path = tmp_path / f"data{extension}"
    write(path, A)
    data = load(str(path), normalize=True)
    assert np.array_equal(data.raw, A)
    assert data.source == str(path)
    assert data.normalized
    assert np.array_equal(data.X, load(A, normalize=True).X)
    assert load(path, normalize=True).sha256 == data.sha256  # a Path does as well
    if files.FORMATS[extension][2]:
        assert np.array_equal(load(f"{path}::x", normalize=True).raw, A)
    write(path, Y[:, None])
    assert np.array_equal(load(EYE, labels=str(path)).y, Y)
    assert np.array_equal(load(EYE, labels=path).y, Y)


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "1,2\r\n3,4",
        "\ufeff1,2\n3,4\n",
        "a,b\n1,2\n3,4\n",
        "sepal length (cm),sepal width (cm)\n1,2\n3,4\n",
        '"x, first","y"\n"1","2"\n3,4\n',
        "# made by hand\n\n  \n a , b \n 1 , 2 \n\n3,4e0\n",
        "x;y\n1;2\n3;4\n",
        "x\ty\n1\t2\n3\t4\n",
        "x y\n  1    2\n3 4  \n",
        "+1.0,2e0\n3.,.4e1\n",
    ],
)
def test_csv_dialects(tmp_path, text):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode())
    assert load(str(path), normalize=True).raw.tolist() == [[1, 2], [3, 4]]


def test_csv_of_one_column(tmp_path):
    path = tmp_path / "labels.CSV"
    path.write_text("my label\n1\n-1\n2\n")
    assert load(EYE, labels=str(path)).y.tolist() == [1, -1, 2]


def test_csv_is_quick(tmp_path):
    A = np.random.default_rng(0).standard_normal((10_000, 20))
    write(tmp_path / "data.csv", A)
    start = time.process_time()
    assert np.array_equal(load(str(tmp_path / "data.csv"), normalize=True).raw, A)
    assert time.process_time() - start < 2


def test_pandas_index_and_holes_in_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, table, words in [
        ("index", {"a": [1.0], "__index_level_0__": [0]}, "index=False"),
        ("holes", {"a": [1.0, None]}, "empty cells"),
        ("words", {"a": ["x"]}, "columns of numbers"),
    ]:
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
        with pytest.raises(InputError, match=words):
            load(str(tmp_path / f"{name}.parquet"), normalize=True)


def test_sparse_files(tmp_path):
    from scipy import io as scipy_io
    from scipy import sparse

    S = sparse.coo_array(np.array([[3.0, 0, 4], [0, 5, 0]]))
    scipy_io.mmwrite(tmp_path / "s.mtx", S)
    scipy_io.savemat(tmp_path / "s.mat", {"s": S, "t": EYE})
    for source in (str(tmp_path / "s.mtx"), f"{tmp_path / 's.mat'}::s", S):
        assert load(source, normalize=True).X.tolist() == [[0.6, 0, 0.8], [0, 1, 0]]


@pytest.mark.parametrize("version", ["4", "5"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?"])
def test_matlab_reader_agrees_with_scipy(tmp_path, version, compressed, dtype):
    from scipy import io as scipy_io

    arrays = {"a": np.arange(6).reshape(2, 3).astype(dtype), "long_name": np.ones((1, 1), dtype), "c": EYE}
    path = tmp_path / "x.mat"
    scipy_io.savemat(path, arrays, format=version, do_compression=compressed and version == "5")
    variables = matlab_variables(path.read_bytes())
    expected = scipy_io.loadmat(path)
    assert list(variables) == list(arrays)
    for name, read in variables.items():
        found = read(lambda rows, columns: None)
        assert found.shape == expected[name].shape
        assert np.array_equal(found, expected[name])


def test_matlab_variables_that_are_not_numbers(tmp_path):
    from scipy import io as scipy_io

    path = tmp_path / "x.mat"
    scipy_io.savemat(path, {"text": "abc", "cell": np.array([1, "a"], dtype=object), "s": {"f": 1}, "z": EYE * 1j})
    for name, words in [("text", "a text"), ("cell", "a cell array"), ("s", "a struct"), ("z", "complex")]:
        with pytest.raises(InputError, match=words):
            load(f"{path}::{name}")
    with pytest.raises(InputError, match="text, cell, s, z"):
        load(str(path))


@pytest.mark.parametrize(
    "layout, field, symmetry",
    [
        (layout, field, symmetry)
        for layout in ["array", "coordinate"]
        for field in ["real", "integer", "pattern"]
        for symmetry in ["general", "symmetric", "skew-symmetric"]
        if field != "pattern" or (layout == "coordinate" and symmetry != "skew-symmetric")  # no such file exists
    ],
)
def test_matrix_market_reader_agrees_with_scipy(tmp_path, layout, field, symmetry):
    from scipy import io as scipy_io
    from scipy import sparse

    A = np.array([[0, 0, 0], [7, 0, 0], [-3, 0, 0]])
    A = A + {"general": 2 * np.eye(3, dtype=int)[::-1], "symmetric": A.T, "skew-symmetric": -A.T}[symmetry]
    path = tmp_path / "x.mtx"
    scipy_io.mmwrite(path, sparse.coo_array(A) if layout == "coordinate" else A, field=field, symmetry=symmetry)
    expected = scipy_io.mmread(path)
    expected = expected.toarray() if sparse.issparse(expected) else expected
    found = read_matrix_market(path.read_text(), lambda rows, columns: None)
    assert np.array_equal(found, expected)
    assert field == "pattern" or np.array_equal(found, A)


def test_matrix_market_entries_given_twice_add_up():
    text = "%%MatrixMarket matrix coordinate integer general\n% note\n\n2 2 3\n1 1 5\n2 2 1\n1 1 -2\n"
    assert read_matrix_market(text, lambda rows, columns: None).tolist() == [[3, 0], [0, 1]]


@pytest.mark.parametrize(
    "text",
    [
        "%%MatrixMarket vector array real general\n1 1\n1\n",
        "%%MatrixMarket matrix array complex general\n1 1\n1 2\n",
        "%%MatrixMarket matrix array real hermitian\n1 1\n1\n",
        "%%MatrixMarket matrix array real general\n",
        "%%MatrixMarket matrix array real general\n1\n1\n",
        "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n",
        "%%MatrixMarket matrix array real symmetric\n2 1\n1\n2\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 1\n3 1 1.0\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 1\n0 1 1.0\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 1\n1.5 1 1.0\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 x 1.0\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 1.0\n",
        "%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1.0\n",
    ],
)
def test_matrix_market_errors(text):
    with pytest.raises(ValueError):
        read_matrix_market(text, lambda rows, columns: None)


def test_hdf5_matlab_file(tmp_path):
    path = tmp_path / "new.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(600))
    with pytest.raises(InputError, match="save -v7"):
        load(str(path))


def test_path_splits_at_the_last_double_colon(tmp_path):
    np.savez(tmp_path / "a::b.npz", x=EYE, y=-EYE)
    assert load(f"{tmp_path}/a::b.npz::y").X[0, 0] == -1


# -- hostile files ---------------------------------------------------------------------------------------------------


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    np.save(tmp_path / "trap.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "trap.npz", x=np.array([[Trap()]], dtype=object))
    (tmp_path / "raw.npy").write_bytes((tmp_path / "trap.npy").read_bytes()[128:])
    for name in ("trap.npy", "trap.npz", "raw.npy"):
        with pytest.raises(InputError):
            load(str(tmp_path / name))
    assert not (tmp_path / "sprung").exists()


def outcome(path):
    """The message that loading ends with, if it ends with one of ours; anything else escapes."""
    try:
        load(str(path), normalize=True)
    except (InputError, CapacityError) as error:
        return str(error)
    return ""


@given(st.binary(min_size=1, max_size=300), st.sampled_from(sorted(files.FORMATS)))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_never_escape(tmp_path_factory, content, extension):
    path = tmp_path_factory.getbasetemp() / f"noise{extension}"
    path.write_bytes(content)
    assert "\n" not in outcome(path)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_files_never_escape(tmp_path_factory, data):
    """One byte changed, or the end cut off: an array comes out or one line does."""
    folder = tmp_path_factory.getbasetemp()
    extension = data.draw(st.sampled_from([".npy", ".npz", ".mat", ".mtx", ".parquet", ".safetensors"]))
    path = folder / f"damaged{extension}"
    write(path, np.arange(12.0).reshape(4, 3) + 1)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[at:]
    path.write_bytes(content)
    assert "\n" not in outcome(path)
