r"""Networks trained elsewhere: a PyTorch module, a state dict, or a safetensors file as a one-hidden-layer network.

A linear layer of PyTorch has a bias, the network of the theory has none. A hidden bias is a column of W for an input
that is 1, and an output bias is a shift of the labels:

.. math:: v^\top\phi(Wx + b) + c = y \iff v^\top\phi\bigl([W\; b]\,[x; 1]\bigr) = y - c

so a network with biases is a `ShallowNet` on rows one entry longer (`Pretrained.problem`). PyTorch is never imported
here: whoever hands over a module has done that.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._checks import InputError, check_matrix, check_vector
from .activations import Activation
from .activations import activation as lookup
from .network import ShallowNet

__all__ = ["Pretrained", "pretrained"]

Floats = NDArray[np.float64]

#: What a linear layer may be stored in; all of them are float64 numbers exactly.
_DTYPES = ("float64", "float32", "float16", "bfloat16")
#: Modules that change nothing on rows that are vectors (Dropout: in evaluation mode, which the probe finds out).
_TRANSPARENT = ("Flatten", "Identity", "Dropout")
#: Module -> activation, where no attribute decides.
_PLAIN = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "SiLU": "silu"}
#: Module -> (attributes, what they have to be, activation).
_CONDITIONAL: dict[str, tuple[str, Any, str]] = {
    "GELU": ("approximate", "none", "gelu"),
    "ELU": ("alpha", 1.0, "elu"),
    "CELU": ("alpha", 1.0, "elu"),
    "Softplus": ("beta", 1.0, "softplus"),
}
#: Rows on which a module is compared with the network that was read out of it.
_PROBES = 16


@dataclass(frozen=True, eq=False)
class Pretrained:
    r"""f(x) = v^T phi(W x + b) + c, as it was trained.

    Parameters
    ----------
    W : (k, d) float64
    v : (k,) float64
    activation : Activation
    hidden_bias : (k,) float64
        b; zeros where the layer has none.
    output_bias : float
        c; 0 where the layer has none.
    dtype : str
        In which the numbers were stored; float64 holds all of them exactly.

    Examples
    --------
    >>> read = pretrained({"W": [[1.0, 0.0], [0.0, 2.0]], "v": [1.0, -1.0]}, "tanh")
    >>> read.W.shape, read.activation.name, read.has_biases
    ((2, 2), 'tanh', False)
    """

    W: Floats
    v: Floats
    activation: Activation
    hidden_bias: Floats
    output_bias: float
    dtype: str

    @property
    def has_biases(self) -> bool:
        """Whether a bias is not zero."""
        return bool(self.hidden_bias.any()) or self.output_bias != 0

    def network(self) -> ShallowNet:
        """The network, if its biases are zero.

        Returns
        -------
        ShallowNet

        Raises
        ------
        InputError
            If a bias is not zero.

        Examples
        --------
        >>> pretrained({"W": [[1.0, 0.0]], "v": [2.0]}, "relu").network()([[3.0, 0.0]])
        array([6.])
        """
        if self.has_biases:
            layers = ["hidden"] * bool(self.hidden_bias.any()) + ["output"] * (self.output_bias != 0)
            raise InputError(
                "source",
                f"a network with biases of the {' and the '.join(layers)} layer",
                "zero biases (Linear(..., bias=False)), or jacspec.pretrained(...).problem(X, y), which absorbs them",
            )
        return ShallowNet(self.W, self.v, self.activation)

    def problem(self, X: ArrayLike, y: ArrayLike) -> tuple[ShallowNet, Floats, Floats]:
        r"""The same fit as a network without biases: rows with a 1 appended, labels less the output bias.

        What moves when this network is trained, or in what a certificate says of it, is W and b together.

        Parameters
        ----------
        X : (n, d) float64
        y : (n,) float64

        Returns
        -------
        net : ShallowNet
            Of d + 1 inputs if b is not zero, else of d.
        X : (n, d + 1) or (n, d) float64
        y : (n,) float64
            y - c, without rounding.

        Raises
        ------
        InputError
            If the shapes do not fit, or a label less the output bias is not a float64.

        Examples
        --------
        >>> state = {"0.weight": [[1.0, 0.0]], "0.bias": [0.5], "2.weight": [[2.0]], "2.bias": [0.25]}
        >>> net, X, y = pretrained(state, "relu").problem([[3.0, 0.0]], [7.0])
        >>> net.W.tolist(), X.tolist(), y.tolist(), net(X).tolist()
        ([[1.0, 0.0, 0.5]], [[3.0, 0.0, 1.0]], [6.75], [7.0])
        """
        X = check_matrix("X", X, columns=self.W.shape[1])
        y = check_vector("y", y, length=X.shape[0])
        W = self.W
        if self.hidden_bias.any():
            W = np.column_stack([W, self.hidden_bias])
            X = np.column_stack([X, np.ones(X.shape[0])])
        if self.output_bias != 0:
            y = _subtract_exactly(y, self.output_bias)
        return ShallowNet(W, self.v, self.activation), X, y


def _subtract_exactly(y: Floats, c: float) -> Floats:
    """y - c if no entry rounds: a certificate speaks of the labels as they are, not of their neighbours."""
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow leaves inf - inf behind
        shifted = y - c
        part = shifted - y  # Knuth: the rounding error of the difference, itself without error
        rest = (y - (shifted - part)) + (-c - part)
    bad = ~np.isfinite(shifted) | (rest != 0)
    if bad.any():
        i = int(np.argmax(bad))
        raise InputError(
            "source",
            f"an output bias of {c!r}, which does not leave label {i} ({float(y[i])!r}) without rounding",
            "no output bias (Linear(..., bias=False)), or one of float32",
        )
    return shifted


def pretrained(source: Any, activation: Activation | str | None = None) -> Pretrained:
    """A network out of a PyTorch module, a state dict or a safetensors file.

    Parameters
    ----------
    source : torch.nn.Module, mapping of names to arrays or tensors, or path
        Two linear layers, (k, d) and (1, k), with or without biases, and nothing else. A module is also run on 16
        random rows, to see that it computes what was read out of it. Files end in .safetensors (a .pt file is a
        pickle, which runs code when it is read).
    activation : Activation or str, optional
        Needed unless a module says it: ReLU, LeakyReLU, Softplus(beta=1), Tanh, Sigmoid, GELU("none"), SiLU,
        ELU(alpha=1), or a file whose metadata have a key "activation".

    Returns
    -------
    Pretrained

    Raises
    ------
    InputError
        If it is anything else: other layers, several outputs, entries that are not finite, an activation that is not
        known or not given, a module that computes something else.

    Examples
    --------
    >>> import numpy as np
    >>> state = {"0.weight": np.eye(3, dtype=np.float32), "2.weight": np.ones((1, 3), dtype=np.float32)}
    >>> read = pretrained(state, "softplus")
    >>> read.network().k, read.dtype
    (3, 'float32')
    """
    given = None if activation is None else lookup(activation)
    if isinstance(source, (str, os.PathLike)):
        state, named = _read_file(os.fspath(source))
        return _assemble(state, given or named)
    if isinstance(source, Mapping):
        return _assemble(source, given)
    if callable(getattr(source, "state_dict", None)) and callable(getattr(source, "modules", None)):
        return _from_module(source, given)
    raise InputError("source", source, "a torch.nn.Module, a state dict, or a .safetensors file")


# -- state dicts ----------------------------------------------------------------------------------------------------


def _natural(name: str) -> list[Any]:
    """Layer 10 after layer 2."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _assemble(state: Mapping[str, Any], phi: Activation | None) -> Pretrained:
    arrays: dict[str, Floats] = {}
    dtypes = set()
    for name in sorted(map(str, state), key=_natural):
        arrays[name], dtype = _array(name, state[name])
        dtypes.add(dtype)
    hidden, output = _layers(arrays)
    W = check_matrix(hidden, arrays[hidden])
    v = check_vector(output, arrays[output].reshape(-1))
    biases = {name: a for name, a in arrays.items() if name not in (hidden, output)}
    b, c = np.zeros(W.shape[0]), 0.0
    for layer in (hidden, output):
        name = re.sub("weight$", "bias", layer)
        if name == layer or name not in biases:
            continue
        size = W.shape[0] if layer == hidden else 1
        values = check_vector(name, biases.pop(name), length=size)
        if layer == hidden:
            b = values
        else:
            c = float(values[0])
    if biases:
        raise InputError("source", f"further parameters: {', '.join(biases)}", "two linear layers and nothing else")
    if phi is None:
        raise InputError("activation", "none", "its name, which a state dict does not hold (-a softplus)")
    # One dtype to speak of; numbers of mixed precision are those of the widest.
    dtype = min(dtypes, key=_DTYPES.index)
    for own in (W, v, b):
        own.setflags(write=False)
    return Pretrained(W, v, phi, b, c, dtype)


def _array(name: str, value: Any) -> tuple[Floats, str]:
    """A tensor or an array as float64, and what it was stored in."""
    if type(value).__module__.partition(".")[0] == "torch":
        value, dtype = _from_tensor(name, value)
    else:
        try:
            value = np.asarray(value)
        except (TypeError, ValueError):
            raise InputError(name, "a ragged or unreadable sequence", "an array of real numbers") from None
        dtype = str(value.dtype)
        if value.dtype.kind in "iu":
            dtype = "float64"
    if dtype not in _DTYPES:
        raise InputError(name, f"an array of dtype {dtype}", f"one of {', '.join(_DTYPES)}")
    return np.array(value, dtype=np.float64, order="C"), dtype


def _from_tensor(name: str, tensor: Any) -> tuple[NDArray[Any], str]:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in _DTYPES:
        raise InputError(name, f"a tensor of dtype {dtype}", f"one of {', '.join(_DTYPES)}")
    try:
        return np.asarray(tensor.detach().cpu().double().numpy()), dtype
    except (RuntimeError, TypeError, NotImplementedError) as error:  # sparse, or on the "meta" device
        detail = str(error).split("\n")[0][:100]
        raise InputError(name, f"a tensor that cannot be read ({detail})", "a dense tensor with values") from None


def _layers(arrays: Mapping[str, Floats]) -> tuple[str, str]:
    """Names of the hidden and the output weights, told by their shapes; by their order where both fit."""
    matrices = [name for name, a in arrays.items() if a.ndim == 2]
    vectors = [name for name, a in arrays.items() if a.ndim == 1 and not name.endswith("bias")]
    shapes = ", ".join(f"{name} {arrays[name].shape}" for name in arrays) or "nothing"
    expected = "weights (k, d) and (1, k) of two linear layers"
    if len(matrices) == 2:
        for hidden, output in (matrices, matrices[::-1]):
            if arrays[hidden].shape[0] == arrays[output].shape[1] and arrays[output].shape[0] == 1:
                return hidden, output
        for hidden, output in (matrices, matrices[::-1]):
            if arrays[hidden].shape[0] == arrays[output].shape[1]:
                many = arrays[output].shape[0]
                raise InputError("source", f"a network with {many} outputs ({output})", "one output")
    elif len(matrices) == 1 and len(vectors) == 1:
        hidden, output = matrices[0], vectors[0]
        if arrays[hidden].shape[0] == arrays[output].shape[0]:
            return hidden, output
    elif len(matrices) > 2:
        raise InputError("source", f"{len(matrices)} layers: {shapes}", "one hidden layer, that is two linear layers")
    raise InputError("source", shapes, expected)


def _read_file(path: str) -> tuple[dict[str, NDArray[Any]], Activation | None]:
    if not path.endswith(".safetensors"):
        pickled = path.endswith((".pt", ".pth", ".ckpt", ".bin"))
        how = " (safetensors.torch.save_file(model.state_dict(), 'net.safetensors'))" if pickled else ""
        raise InputError("source", repr(path), f"a file that ends in .safetensors{how}")
    if not os.path.isfile(path):
        raise InputError("source", repr(path), "a file that exists")
    try:
        from safetensors import safe_open
    except ImportError:
        raise InputError("source", repr(path), "safetensors: pip install 'jacspec[safetensors]'") from None
    try:
        with safe_open(path, framework="numpy") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            named = (file.metadata() or {}).get("activation")
    except Exception as error:  # the Rust reader's errors have no common base
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise InputError("source", repr(path), f"a safetensors file of floating-point numbers ({detail})") from None
    return state, None if named is None else lookup(named)


# -- modules --------------------------------------------------------------------------------------------------------


def _from_module(module: Any, given: Activation | None) -> Pretrained:
    leaves = [m for m in module.modules() if not any(True for _ in m.children())]
    between = [m for m in leaves if type(m).__name__ not in ("Linear", *_TRANSPARENT)]
    phi = _recognised(between[0], given) if len(between) == 1 else None
    if len(between) > 1:
        raise InputError(
            "source",
            f"a module with {', '.join(type(m).__name__ for m in between)}",
            "two linear layers with one activation between them",
        )
    if given is not None and phi is not None and given.name != phi.name:
        raise InputError("activation", repr(given.name), f"{phi.name}, which the module has")
    phi = phi or given
    if phi is None:
        raise InputError("activation", "none", "its name: the module has no activation layer to tell it from")
    read = _assemble(module.state_dict(), phi)
    _probe(module, read, float(getattr(between[0], "threshold", np.inf)) if between else np.inf)
    return read


def _recognised(layer: Any, given: Activation | None) -> Activation | None:
    name = type(layer).__name__
    if not type(layer).__module__.startswith("torch.nn"):
        return None  # somebody's own: `given` says what it is, and the probe whether that is true
    if name in _PLAIN:
        return lookup(_PLAIN[name])
    if name == "LeakyReLU":
        slope = float(layer.negative_slope)
        return lookup("linear" if slope == 1 else f"leaky_relu:slope={slope!r}")
    if name in _CONDITIONAL:
        attribute, needed, phi = _CONDITIONAL[name]
        if getattr(layer, attribute) != needed:
            raise InputError(
                "source", f"{name} with {attribute}={getattr(layer, attribute)!r}", f"{attribute}={needed!r}"
            )
        return lookup(phi)
    known = ", ".join([*_PLAIN, "LeakyReLU", *_CONDITIONAL])
    raise InputError("source", f"a module with {name}", f"an activation among {known}")


def _probe(module: Any, read: Pretrained, threshold: float) -> None:
    """Raise unless the module computes, up to the rounding of its dtype, what was read out of it.

    A state dict does not say how its layers are joined: a forward that scales its output or skips the hidden layer has
    the same one.
    """
    torch = sys.modules["torch"]
    parameter = next(iter(module.parameters()))
    k, d = read.W.shape
    rows = np.random.default_rng(0).standard_normal((_PROBES, d))
    inputs = torch.as_tensor(rows, dtype=parameter.dtype, device=parameter.device)
    exact = inputs.double().cpu().numpy()  # as the module sees them
    try:
        with torch.no_grad():
            values = module(inputs).double().cpu().numpy()
    except Exception as error:  # whatever somebody's forward raises
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:100]
        raise InputError("source", f"a module that fails on a batch of rows ({detail})", f"(n, {d}) inputs") from None
    Z = exact @ read.W.T + read.hidden_bias
    phi = read.activation
    ours = phi(Z) @ read.v + read.output_bias
    size = np.abs(exact) @ np.abs(read.W.T) + np.abs(read.hidden_bias)
    # Rounded sums of d + 1 and k + 1 terms, and an activation of a few ulp; phi' near Z in place of its supremum,
    # which may be infinite.
    weight = np.abs(phi(Z)) + (np.abs(phi.dphi(Z)) + 1) * size + 1
    allowed = (d + k + 32) * float(torch.finfo(parameter.dtype).eps) * (weight @ np.abs(read.v) + abs(read.output_bias))
    if np.isfinite(threshold):
        # torch's Softplus returns z itself beyond a threshold (20): too little by log(1 + e^-z) there.
        allowed = allowed + np.log1p(np.exp(-threshold)) * np.sum(np.abs(read.v))
    if values.shape not in ((_PROBES,), (_PROBES, 1)):
        raise InputError(
            "source", f"a module whose output on {_PROBES} rows has shape {values.shape}", "one number a row"
        )
    off = np.abs(values.reshape(-1) - ours)
    if not (off <= allowed).all():
        i = int(np.argmax(off - allowed))
        raise InputError(
            "source",
            f"a module that gives {values.reshape(-1)[i]:.6g} where v^T phi(Wx + b) + c with phi = {phi.name} "
            f"gives {ours[i]:.6g}",
            "a module that computes just that (call its eval() if it has dropout)",
        )
