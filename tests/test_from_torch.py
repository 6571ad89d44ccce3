"""Networks trained elsewhere: what is read is what computes, and anything else is refused by name."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from test_cli import jacspec

from jacspec import InputError, ShallowNet, pretrained
from jacspec.certificates import Certificate, gauss_newton_polish


def state(k: int = 5, d: int = 3, bias: bool = False, dtype: Any = np.float32) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    made = {
        "0.weight": rng.standard_normal((k, d)).astype(dtype),
        "2.weight": rng.standard_normal((1, k)).astype(dtype),
    }
    if bias:
        made |= {"0.bias": rng.standard_normal(k).astype(dtype), "2.bias": rng.standard_normal(1).astype(dtype)}
    return made


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_state_dict_is_read_without_rounding(dtype: Any) -> None:
    given = state(dtype=dtype)
    net = ShallowNet.from_torch(given, "softplus")
    assert np.array_equal(net.W, given["0.weight"])
    assert np.array_equal(net.v, given["2.weight"][0])
    assert pretrained(given, "softplus").dtype == np.dtype(dtype).name


def test_layers_are_told_by_shape_then_by_order() -> None:
    a = {"fc10.weight": [[2.0]], "fc9.weight": [[3.0]]}
    assert pretrained(a, "tanh").W.tolist() == [[3.0]]  # 9 comes before 10
    b = {"a_last.weight": [[1.0, 2.0]], "z_first.weight": np.arange(6.0).reshape(2, 3)}
    assert pretrained(b, "tanh").W.shape == (2, 3)
    assert pretrained({"v": [1.0, 2.0], "W": np.eye(2)}, "tanh").v.tolist() == [1.0, 2.0]


def test_zero_biases_are_none_and_others_are_refused_or_absorbed() -> None:
    given = state(bias=True)
    with pytest.raises(InputError, match=r"hidden and the output layer.*problem"):
        ShallowNet.from_torch(given, "tanh")
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((4, 3)), np.array([1.0, -1.0, 1.0, 1.0])
    net, rows, labels = pretrained(given, "tanh").problem(X, y)
    plain = np.tanh(X @ given["0.weight"].T + given["0.bias"]) @ given["2.weight"][0] + given["2.bias"]
    np.testing.assert_allclose(net.residual(rows, labels), plain - y, rtol=0, atol=1e-14)
    assert rows.shape == (4, 4)
    assert np.array_equal(labels + given["2.bias"].astype(float), y)
    for name in ("0.bias", "2.bias"):
        given[name][:] = 0
    assert ShallowNet.from_torch(given, "tanh").d == 3
    assert pretrained(given, "tanh").problem(X, y)[1].shape == (4, 3)


def test_labels_that_an_output_bias_would_round_are_refused() -> None:
    given = state(bias=True, dtype=np.float64)
    given["2.bias"][:] = 0.1
    with pytest.raises(InputError, match="label 0"):
        pretrained(given, "tanh").problem(np.eye(3), [1.0, -1.0, 1.0])
    given["2.bias"][:] = 1e300
    with pytest.raises(InputError, match="without rounding"):
        pretrained(given, "tanh").problem(np.eye(3), [1.0, -1.0, 1.0])
    given["2.bias"][:] = -1.5e308
    with pytest.raises(InputError, match="label 1"):
        pretrained(given, "tanh").problem(np.eye(3), [0.0, 1e308, 1.0])


BAD: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "nothing"),
    "outputs": ({"0.weight": np.ones((5, 3)), "2.weight": np.ones((10, 5))}, "10 outputs"),
    "layers": ({"0.weight": np.ones((5, 3)), "2.weight": np.ones((5, 5)), "4.weight": np.ones((1, 5))}, "3 layers"),
    "unjoined": ({"0.weight": np.ones((5, 3)), "2.weight": np.ones((1, 4))}, r"\(k, d\) and \(1, k\)"),
    "more": (state() | {"1.running_mean": np.ones(5)}, "running_mean|one of|two linear"),
    "bias length": (state() | {"0.bias": np.ones(4)}, "0.bias.*5 entries"),
    "nan": (state() | {"0.weight": np.full((5, 3), np.nan)}, "0.weight.*nan"),
    "complex": (state() | {"0.weight": np.ones((5, 3), dtype=complex)}, "complex128"),
    "ragged": (state() | {"0.weight": [[1.0], [1.0, 2.0]]}, "ragged"),
    "no network": (3, "state dict"),
    "pickle": ("net.pt", "save_file"),
    "missing": ("net.safetensors", "exists"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_network_is_refused(name: str) -> None:
    given, words = BAD[name]
    with pytest.raises(InputError, match=words):
        pretrained(given, "relu")


def test_a_state_dict_needs_an_activation() -> None:
    with pytest.raises(InputError, match="activation"):
        pretrained(state())


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file(state(), path, metadata={"activation": "gelu"})
    assert pretrained(path).activation.name == "gelu"
    assert pretrained(path, "tanh").activation.name == "tanh"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="a safetensors file"):
        pretrained(path)


@pytest.fixture
def fit(tmp_path: Path) -> Path:
    """A folder with float32 data and a network that nearly fits them, biases and all."""
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((8, 4)).astype(np.float32), rng.choice([-1.0, 1.0], 8).astype(np.float32)
    rows = np.column_stack([X.astype(np.float64), np.ones(8)])
    start = ShallowNet(rng.standard_normal((30, 5)), rng.standard_normal(30).astype(np.float32), "softplus")
    W = gauss_newton_polish(start, rows, y - 0.25, 8).W.astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    tensors = {
        "0.weight": np.ascontiguousarray(W[:, :4]),
        "0.bias": np.ascontiguousarray(W[:, 4]),
        "2.weight": start.v[None].astype(np.float32),
        "2.bias": np.array([0.25], dtype=np.float32),
    }
    save_file(tensors, tmp_path / "net.safetensors")
    return tmp_path


def test_a_network_from_a_file_is_certified_and_checked(fit: Path) -> None:
    about = ("net.safetensors", "--data", "X.npy", "--labels", "y.npy", "-a", "softplus")
    done = jacspec("certify", *about, "--save", "c.npz", cwd=fit)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "net.safetensors (float32): W and b" in done.stdout
    X = np.load(fit / "X.npy")
    assert np.array_equal(Certificate.load(fit / "c.npz").X[:, :4], X)  # as they are, not normalised
    assert jacspec("certify", "--check", "c.npz", cwd=fit).returncode == 0
    unit = jacspec("certify", *about, "--normalize", cwd=fit)
    assert unit.returncode == 5  # another data set, which it does not fit
    assert "NOT CERTIFIED" in unit.stdout


WRONG = {
    "no data": (["net.safetensors", "-a", "tanh"], "--data"),
    "no labels": (["net.safetensors", "-a", "tanh", "--data", "X.npy"], "--labels"),
    "no activation": (["net.safetensors", "--data", "X.npy", "--labels", "y.npy"], "--activation"),
    "a typo": (["net.safetensors", "-a", "softpluss", "--data", "X.npy", "--labels", "y.npy"], "did you mean"),
    "other inputs": (["net.safetensors", "-a", "tanh", "--data", "sphere:n=8,d=3", "--labels", "y.npy"], "--data"),
    "initial": (["net.safetensors", "-a", "tanh", "--data", "X.npy", "--labels", "y.npy", "--initial"], "--initial"),
    "data of a run": (["X.npy", "--data", "X.npy"], "--data"),
    "no network": (["X.safetensors", "-a", "tanh", "--data", "X.npy", "--labels", "y.npy"], "FILE"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_go_with_a_network_is_one_line(name: str, fit: Path) -> None:
    (fit / "X.safetensors").write_bytes(b"not a file of tensors")
    arguments, words = WRONG[name]
    done = jacspec("certify", *arguments, cwd=fit)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_torch_is_not_imported() -> None:
    code = (
        "import sys, jacspec\n"
        "jacspec.pretrained({'W': [[1.0]], 'v': [1.0]}, 'relu').network()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- with PyTorch itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize(
    ("layer", "arguments", "name"),
    [
        ("ReLU", {}, "relu"),
        ("LeakyReLU", {"negative_slope": 0.2}, "leaky_relu:slope=0.2"),
        ("Softplus", {}, "softplus"),
        ("Tanh", {}, "tanh"),
        ("Sigmoid", {}, "sigmoid"),
        ("GELU", {}, "gelu"),
        ("SiLU", {}, "silu"),
        ("ELU", {}, "elu"),
    ],
)
def test_modules_tell_their_activation(dtype: str, layer: str, arguments: dict[str, Any], name: str) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(7, 30), getattr(nn, layer)(**arguments), nn.Linear(30, 1))
    with torch.no_grad():
        module[0].weight *= 20  # saturated units, and softplus beyond torch's threshold
    read = pretrained(module.to(getattr(torch, dtype)))
    assert read.activation.name == name
    assert read.dtype == dtype
    assert read.has_biases


def test_modules_that_compute_something_else_are_refused() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)

    def plain(*between: Any) -> Any:
        return nn.Sequential(nn.Linear(3, 5), *between, nn.Linear(5, 1))

    class Scaled(nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.out, self.hidden, self.factor = nn.Linear(5, 1), nn.Linear(3, 5), factor

        def forward(self, x: Any) -> Any:
            return self.factor * self.out(torch.tanh(self.hidden(x)))

    assert pretrained(Scaled(1.0), "tanh").W.shape == (5, 3)
    assert pretrained(plain(nn.Dropout(), nn.Tanh()).eval()).activation.name == "tanh"
    for module, activation, words in (
        (Scaled(1.001), "tanh", "computes just that"),
        (Scaled(1.0), "sigmoid", "computes just that"),
        (Scaled(1.0), None, "activation"),
        (plain(nn.Dropout(), nn.Tanh()), None, "eval"),
        (plain(nn.GELU("tanh")), None, "approximate"),
        (plain(nn.Softplus(beta=2)), None, "beta"),
        (plain(nn.ELU(alpha=0.5)), None, "alpha"),
        (plain(nn.Mish()), None, "Mish"),
        (plain(nn.Tanh()), "relu", "tanh"),
        (plain(nn.Tanh(), nn.Tanh()), None, "one activation"),
        (plain(nn.BatchNorm1d(5), nn.Tanh()), None, "BatchNorm1d"),
        (plain(nn.Tanh()).to("meta"), None, "cannot be read"),
        (nn.Linear(3, 1), "linear", r"\(k, d\)"),
    ):
        with pytest.raises(InputError, match=words):
            pretrained(module, activation)


def test_the_page_about_torch_shows_what_happens(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    page = (Path(__file__).resolve().parent.parent / "docs" / "torch.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.S)
    assert subprocess.run([sys.executable, "-c", source], cwd=tmp_path, check=False).returncode == 0
    commands = re.findall(r"^    jacspec (.*)$", page, re.M)
    assert len(commands) == 2
    printed = [jacspec(*shlex.split(command), cwd=tmp_path) for command in commands]
    assert [done.returncode for done in printed] == [0, 0]
    assert "CERTIFIED (interpolation-certificate)" in printed[0].stdout
    assert "net.safetensors (float32): W and b" in printed[0].stdout
    assert printed[1].stdout.startswith("VALID")
