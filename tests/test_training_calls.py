"""Training: what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jacspec import InputError, ShallowNet, activation, initial_weights, train

GOOD = {"X": np.eye(3), "y": np.ones(3), "eta": 0.1}
BAD = {
    "net": ({"net": "softplus"}, "net"),
    "X columns": ({"X": np.ones((3, 2))}, "3 columns"),
    "X nan": ({"X": np.full((3, 3), np.nan)}, "finite"),
    "X empty": ({"X": np.ones((0, 3))}, "not empty"),
    "y length": ({"y": np.ones(4)}, "3 entries"),
    "y infinite": ({"y": np.array([1.0, np.inf, 0.0])}, "finite"),
    "algorithm": ({"algorithm": "sdg"}, "did you mean 'sgd'"),
    "trains": ({"trains": "both"}, "hidden, output"),
    "eta zero": ({"eta": 0.0}, "> 0"),
    "eta nan": ({"eta": math.nan}, "eta"),
    "eta word": ({"eta": "autom"}, "auto"),
    "eta_bar": ({"eta_bar": 1.5}, "<= 1"),
    "steps": ({"steps": -1}, "at least 0"),
    "steps float": ({"steps": 1.5}, "an integer"),
    "tolerance": ({"tolerance": 1.0}, "< 1"),
    "batch of gd": ({"batch": 2}, "1 with algorithm 'gd'"),
    "batch": ({"batch": 0, "algorithm": "sgd"}, "at least 1"),
    "seed": ({"seed": -1}, "seed"),
    "every": ({"every": 0}, "every"),
    "checkpoints": ({"checkpoints": [1, -2]}, "checkpoints"),
    "dtype": ({"dtype": "float16"}, "float64, float32"),
    "dtype of the output layer": ({"dtype": "float32", "trains": "output"}, "output layer"),
    "too large together": ({"eta": 1e300, "y": np.full(3, 1e300)}, "rescale"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case) -> None:
    change, words = BAD[case]
    given = {"net": ShallowNet(np.eye(3), np.ones(3), "tanh"), **GOOD, **change}
    with pytest.raises(InputError, match=None) as caught:
        train(given.pop("net"), given.pop("X"), given.pop("y"), **given)
    assert words in str(caught.value)


def test_no_automatic_step_without_a_theorem() -> None:
    X, y = np.eye(3), np.ones(3)
    with pytest.raises(InputError, match="B1 = sup"):
        train(ShallowNet(np.eye(3), np.ones(3), "quadratic"), X, y)
    with pytest.raises(InputError, match="v = 0"):
        train(ShallowNet(np.eye(3), np.zeros(3), "tanh"), X, y)
    with pytest.raises(InputError, match="exactly zero"):
        train(ShallowNet(np.ones((1, 2)), np.ones(1), "tanh"), np.ones((3, 2)), y, algorithm="sgd")
    with pytest.raises(InputError, match="not told from zero"):
        train(ShallowNet(np.ones((4, 2)), np.ones(4), "tanh"), np.ones((3, 2)), y, algorithm="sgd")


def test_own_activation_has_no_float32() -> None:
    with pytest.raises(InputError, match="no compiled kernel"):
        train(ShallowNet(np.eye(3), np.ones(3), "expr:x*x"), np.eye(3), np.ones(3), eta=0.1, dtype="float32")


def test_the_network_given_is_not_changed() -> None:
    W = initial_weights(4, 3, 0)
    net = ShallowNet(W, np.ones(4), activation("erf"))
    train(net, np.eye(3), np.ones(3), eta=0.1, steps=10)
    assert net.W.tobytes() == W.tobytes()
