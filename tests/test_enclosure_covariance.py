"""The enclosure of Sigma(X) against ball arithmetic with kernels of their own, and its error terms one by one."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flint import acb, arb

from jacspec import InputError, activation
from jacspec.activations import BUILTIN
from jacspec.enclosure import covariance, dual, taylor
from jacspec.enclosure.covariance import covariance_ball
from jacspec.hermite import hermite_enclosures, moment_enclosure
from jacspec.hermite.ball import precision

BITS = 260
NAMES = [*BUILTIN, "leaky_relu:slope=-7.5", "leaky_relu:slope=0.3"]


@functools.cache
def rows() -> np.ndarray:
    """Equal, antipodal, orthogonal, and nearly (anti)parallel rows at all distances; norms off by up to 4e-13."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=4)
    near = [x + 10.0**-e * rng.normal(size=4) for e in (16, 14, 12, 10, 8, 6, 4, 3, 2, 1.5, 1)]
    X = np.array([x, x, -x, *near, *(-v for v in near[::2]), [1, 0, 0, 0], [0, 1, 0, 0], *rng.normal(size=(4, 4))])
    X /= np.linalg.norm(X, axis=1)[:, None]
    X[1] *= 1 + 4e-13
    X[5] *= 1 - 4e-13
    return X


@functools.cache
def cosines() -> list[list[arb]]:
    X = rows()
    with precision(BITS):
        exact = [[arb(v) for v in x] for x in X.tolist()]
        norms = [sum((v * v for v in x), arb(0)).sqrt() for x in exact]
        return [
            [
                sum((a * b for a, b in zip(x, y, strict=True)), arb(0)) / (r * s)
                for y, s in zip(exact, norms, strict=True)
            ]
            for x, r in zip(exact, norms, strict=True)
        ]


# -- kernels of their own -------------------------------------------------------------------------------------------


def _angle(rho: arb) -> arb:
    """arccos, also where the ball reaches beyond 1: theta = 2 arcsin sqrt((1 - rho)/2)."""
    half = (1 - rho) / 2
    if half.contains(0):
        return arb(0).union(2 * half.abs_upper().sqrt().asin())
    if (1 - half).contains(0):
        return (arb.pi() - 2 * (1 - half).abs_upper().sqrt().asin()).union(arb.pi())
    return rho.acos()


def _leaky(s: float, layer: str) -> Callable[[arb], arb]:
    def hidden(rho: arb) -> arb:
        return s + (1 - arb(s)) ** 2 * (arb.pi() - _angle(rho)) / (2 * arb.pi())

    def output(rho: arb) -> arb:
        theta = _angle(rho)
        return s * rho + (1 - arb(s)) ** 2 * (theta.sin() + (arb.pi() - theta) * rho) / (2 * arb.pi())

    return hidden if layer == "hidden" else output


def _elu(rho: arb) -> arb:
    """E phi'(a) phi'(b): the inner expectation in closed form, the outer one by integration."""
    if (1 - abs(rho)).contains(0):
        exact = moment_enclosure(activation("elu"), "mean_derivative_square")
        limit = exact if rho > 0 else 2 * (arb(1) / 2).exp() * (1 / arb(2).sqrt()).erfc() / 2
        return limit + arb(0, (1 - abs(rho)).abs_upper())  # the slope is below 1
    s2 = 1 - rho * rho
    s = s2.sqrt()

    def inner(x: Any) -> Any:
        right = (-(rho * x) / (s * arb(2).sqrt())).erfc() / 2
        left = (rho * x + s2 / 2).exp() * ((rho * x + s2) / (s * arb(2).sqrt())).erfc() / 2
        return (right + left) * (-x * x / 2).exp() / (2 * arb.pi()).sqrt()

    negative = acb.integral(lambda x, _: inner(x) * x.exp(), -40, 0).real
    positive = acb.integral(lambda x, _: inner(x), 0, 40).real
    return negative + positive + arb(0, arb("1e-300"))


def _closed(name: str, layer: str) -> Callable[[arb], arb] | None:
    pi = arb.pi()
    forms: dict[tuple[str, str], Callable[[arb], arb]] = {
        ("erf", "hidden"): lambda r: 4 / (pi * (9 - 4 * r * r).sqrt()),
        ("erf", "output"): lambda r: 2 / pi * (2 * r / 3).asin(),
        ("gelu", "hidden"): lambda r: (
            arb(1) / 4 + ((r / 2).asin() + r / (4 - r * r).sqrt() * (1 + 1 / (4 - r * r))) / (2 * pi)
        ),
        ("gelu", "output"): lambda r: r * (arb(1) / 4 + (r / 2).asin() / (2 * pi)) + 1 / (2 * pi * (4 - r * r).sqrt()),
        ("sin", "hidden"): lambda r: r.cosh() / arb(1).exp(),
        ("sin", "output"): lambda r: r.sinh() / arb(1).exp(),
        ("gaussian", "hidden"): lambda r: r / ((4 - r * r).sqrt() * (4 - r * r)),
        ("gaussian", "output"): lambda r: 1 / (4 - r * r).sqrt(),
        ("quadratic", "hidden"): lambda r: r,
        ("quadratic", "output"): lambda r: (1 + 2 * r * r) / 4,
        ("linear", "hidden"): lambda r: arb(1),
        ("linear", "output"): lambda r: r,
        ("elu", "hidden"): _elu,
    }
    return forms.get((name, layer))


@functools.cache
def _squares(name: str, count: int) -> tuple[list[arb], arb]:
    phi = activation(name)
    with precision(BITS):
        squares = [b * b for b in hermite_enclosures(phi, count, digits=30)]
        left = moment_enclosure(phi, "mean_derivative_square", digits=30) - sum(squares)
        return squares, left.abs_upper()


def _series(name: str, layer: str, rho: arb) -> arb:
    """Twice as many terms, in ball arithmetic; a tail on top."""
    count = 700 if name == "elu" else 400
    squares, left = _squares(name, count)
    total, power = arb(0), arb(1)
    if layer == "output":
        total = moment_enclosure(activation(name), "mean", digits=30) ** 2
    for r, c in enumerate(squares):
        if layer == "output":
            power = power * rho
            total += c * power / (r + 1)
        else:
            total += c * power
            power = power * rho
    # The tail has one sign per parity at most: between -left |rho|^R and left |rho|^R.
    return total + arb(0, (left * abs(rho) ** count).abs_upper())


def kernel(name: str, layer: str, rho: arb) -> arb:
    phi = activation(name)
    if phi.family in ("relu", "leaky_relu"):
        return _leaky(dict(phi.parameters).get("slope", 0.0), layer)(rho)
    closed = _closed(name, layer)
    return closed(rho) if closed else _series(name, layer, rho)


# -- end to end -----------------------------------------------------------------------------------------------------


def _ratios(name: str, layer: str, mid: np.ndarray, rad: np.ndarray, step: int = 1) -> tuple[float, list[float]]:
    """Largest possible error/radius given the oracle's own width, and the certain ones (from below)."""
    largest, certain = 0.0, []
    rho = cosines()
    with precision(BITS):
        for i in range(len(rho)):
            for j in range(i, len(rho), step):
                true = kernel(name, layer, rho[i][j] if i != j else arb(1))
                if layer == "hidden" and i != j:
                    true = rho[i][j] * true
                off = abs(arb(mid[i, j]) - true)
                if rad[i, j] == 0:
                    assert off.lower() <= 0
                    continue
                certain.append(float(off.lower()) / rad[i, j])
                largest = max(largest, float(off.upper()) / rad[i, j])
    return largest, certain


@pytest.mark.parametrize("layer", ["hidden", "output"])
@pytest.mark.parametrize("name", NAMES)
def test_entries_lie_inside(name: str, layer: str) -> None:
    mid, rad = covariance_ball(rows(), name, layer)
    np.testing.assert_array_equal(mid, mid.T)
    np.testing.assert_array_equal(rad, rad.T)
    largest, certain = _ratios(name, layer, mid, rad, 5 if name == "elu" else 1)
    logging.getLogger(__name__).info("%s, %s: error/radius %.3f", name, layer, largest)
    assert max(certain) <= 1
    # The oracle is sharp too, but for the last few digits next to equal rows.
    assert largest <= 1 + 1e-3 or (name == "elu" and layer == "output")


@pytest.mark.parametrize("name", list(BUILTIN))
def test_radii_are_narrow(name: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 30))
    X /= np.linalg.norm(X, axis=1)[:, None]
    mid, rad = covariance_ball(X, name)
    assert rad.max() <= 2e-15
    assert np.all(np.linalg.eigvalsh(mid) > -1e-13)


def test_elu_at_the_ends_and_the_middle() -> None:
    with precision(BITS):
        at_minus_one = float(2 * (arb(1) / 2).exp() * (1 / arb(2).sqrt()).erfc() / 2)
    mean = float(moment_enclosure(activation("elu"), "mean_derivative_square"))
    product = float(hermite_enclosures(activation("elu"), 1)[0]) ** 2
    rho = np.array([-1.0, 0.0, 1.0])
    value, radius = dual.elu_derivative(rho, *dual.angle_of_cosine(np.abs(rho)))
    np.testing.assert_array_less(np.abs(value - [at_minus_one, product, mean]), 1e-15)
    assert radius.max() < 1e-15


def test_many_rows_agree_with_few() -> None:
    """Blocks, mirror images and the panels of 512."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(700, 6))
    X /= np.linalg.norm(X, axis=1)[:, None]
    chosen = np.array([0, 3, 350, 511, 512, 513, 699])
    for name in ("relu", "tanh", "elu"):
        mid, rad = covariance_ball(X, name)
        np.testing.assert_array_equal(mid, mid.T)
        few, few_rad = covariance_ball(X[chosen], name)
        part = np.ix_(chosen, chosen)
        assert np.all(np.abs(mid[part] - few) <= rad[part] + few_rad)


def test_bad_arguments_are_refused() -> None:
    X = np.eye(3)
    for bad in (2 * X, np.where(X > 0, np.nan, X), X[0], np.ones((2, 2)) * (1 + 1e-6) / np.sqrt(2)):
        with pytest.raises(InputError):
            covariance_ball(bad, "tanh")
    with pytest.raises(InputError, match="built-in"):
        covariance_ball(X, "expr:x*sigmoid(x)")
    with pytest.raises(InputError, match="layer"):
        covariance_ball(X, "tanh", "input")


# -- lanes ----------------------------------------------------------------------------------------------------------


def _cosine_share(d: int) -> float:
    rng = np.random.default_rng(d)
    X = rng.normal(size=(40, d)) * (10.0 ** rng.uniform(-3, 0, d))
    X[20:] = X[:20] + 0.1 * rng.normal(size=(20, d)) * np.abs(X[:20]).mean()
    X /= np.linalg.norm(X, axis=1)[:, None]
    found = covariance._Rows(X)
    rho, error = found.cosines(0, 40)
    largest = 0.0
    with precision(400):
        exact = [[arb(v) for v in x] for x in X.tolist()]
        norms = [sum((v * v for v in x), arb(0)).sqrt() for x in exact]
        for i in range(40):
            for j in range(i + 1, 40):
                true = sum((a * b for a, b in zip(exact[i], exact[j], strict=True)), arb(0)) / (norms[i] * norms[j])
                largest = max(largest, float(abs(arb(rho[i, j]) - true).upper()) / error[i, j])
    return largest


@pytest.mark.parametrize("d", [1, 2, 7, 60])
def test_lane_cosines(d: int) -> None:
    """The six roundings: never exceeded; a third of the bound is (they seldom all point the same way)."""
    assert _cosine_share(d) <= 1
    if d > 2:
        assert _cosine_share(d) > 1 / 3


def test_lane_norms_in_the_angle_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that differ in length alone: all of the difference is (r - r')^2."""
    x = np.array([[0.6, 0.8, 0.0], [0.48, 0.6, 0.64]])
    y = x * np.array([[1 + 4e-13], [1 - 3e-13]])
    found = covariance._Rows(np.concatenate([x, y]))
    norms = found.split.norms
    for sign in (1, -1):
        alpha, radius = dual.angle_of_rows(x, sign * y, norms[:2], norms[2:], found.norm_error)
        with precision(300):
            for i in range(2):
                a, b = ([arb(v) for v in z[i].tolist()] for z in (x, y))
                inner = sum((p * q for p, q in zip(a, b, strict=True)), arb(0))
                square = sum((p * p for p in a), arb(0)) * sum((q * q for q in b), arb(0)) - inner * inner
                true = (square.sqrt() / inner).atan()
                assert abs(arb(alpha[i]) - true) <= arb(radius[i])
                assert radius[i] < 1e-12
                # By the lengths alone alpha would be 3e-13 or more, and the truth is 1e-16: no other term covers that.
                assert abs(arb(alpha[i]) - true) > arb(radius[i]) * 0.3


def test_lane_tangent_of_half_the_angle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The radius handed to arctan covers the roundings of sqrt((1 - c)/(1 + c)), and a third of it does not."""
    c = np.concatenate([np.random.default_rng(6).uniform(0, 1, 3000), [0.0, 1.0]])
    calls = []
    original = dual.phi_enclosure

    def spy(name, w, r=None):  # type: ignore[no-untyped-def]
        calls.append((w, np.zeros_like(w) if r is None else r))
        return original(name, w, r)

    monkeypatch.setattr(dual, "phi_enclosure", spy)
    dual.angle_of_cosine(c)
    dual.angle_of_rows(np.eye(2)[:1], np.array([[1.0, 1e-3]]), np.ones(1), np.full(1, np.hypot(1.0, 1e-3)), 1e-15)
    assert calls[1][1][0] >= 2 * 2.0**-53 * calls[1][0][0] > 0
    w, radius = calls[0]
    with precision(200):
        for x, y, r in zip(c.tolist(), w.tolist(), radius.tolist(), strict=True):
            assert abs(((1 - arb(x)) / (1 + arb(x))).sqrt() - arb(y)) <= arb(r) if x < 1 else y == 0
        shares = [
            float(abs(((1 - arb(x)) / (1 + arb(x))).sqrt() - arb(y)).upper()) / r
            for x, y, r in zip(c.tolist(), w.tolist(), radius.tolist(), strict=True)
            if x < 1
        ]
    assert 1 / 3 < max(shares) <= 1


def _line_angle(x: np.ndarray, y: np.ndarray) -> arb:
    a, b = ([arb(v) for v in z.tolist()] for z in (x, y))
    inner = sum((p * q for p, q in zip(a, b, strict=True)), arb(0))
    square = sum((p * p for p in a), arb(0)) * sum((q * q for q in b), arb(0)) - inner * inner
    return (square.abs_upper().sqrt() / abs(inner)).atan()


def test_lane_norms_and_sums_in_the_angle_of_rows() -> None:
    """Norms off by as much as they may be, and a sum of squares whose small terms are all lost."""
    x, y = np.array([[1.0, 0.0]]), np.array([[np.cos(0.14), np.sin(0.14)]])
    with precision(300):
        for off in (0.9e-12, -0.9e-12):
            alpha, radius = dual.angle_of_rows(x, y, np.full(1, 1 + off), np.full(1, 1 + off), 1e-12)
            assert 0.3 * radius[0] < float(abs(arb(alpha[0]) - _line_angle(x[0], y[0])).upper()) <= radius[0]
        d = 4000
        small = 0.1 * np.sqrt(0.99 * 2.0**-53)
        x, y = np.zeros((2, 1, d))
        x[0, :2], y[0, :2] = [0.05, np.sqrt(0.9975)], [-0.05, np.sqrt(0.9975)]
        y[0, 2:] = small
        alpha, radius = dual.angle_of_rows(x, y, np.ones(1), np.ones(1), 4 * 2.0**-53)
        off = float(abs(arb(alpha[0]) - _line_angle(x[0], y[0])).upper())
        assert 20 * 2.0**-53 * alpha[0] < off <= radius[0]


def test_lane_assembling_the_closed_forms() -> None:
    """From an exact angle, or cosine, to the kernel: every rounding on the way, with no slack from the angle."""
    rng = np.random.default_rng(7)
    alpha = rng.uniform(0, np.pi / 2, 400)
    zero, positive = np.zeros(400), rng.random(400) < 0.5
    with precision(200):
        exact = [arb(a) for a in alpha.tolist()]
        beta = [arb.pi() - a if p else a for a, p in zip(exact, positive.tolist(), strict=True)]

        def largest(found: tuple[np.ndarray, np.ndarray], true: list[arb]) -> float:
            return max(
                float(abs(t - arb(v)).upper()) / r for v, r, t in zip(*map(np.ndarray.tolist, found), true, strict=True)
            )

        assert 0.3 < largest(dual._supplement(positive, alpha, zero), beta) <= 1
        for s in (0.0, 0.3, -7.5):
            jump = (1 - arb(s)) ** 2 / (2 * arb.pi())
            found = dual.leaky_derivative(s, positive, alpha, zero)
            assert 0.1 < largest(found, [s + jump * b for b in beta]) <= 1
            rho = np.where(positive, np.cos(alpha), -np.cos(alpha))
            near, radius = dual.angle_of_cosine(np.abs(rho))
            true = [
                s * arb(r) + jump * ((1 - arb(r) ** 2).sqrt() + (arb.pi() - arb(r).acos()) * arb(r))
                for r in rho.tolist()
            ]
            assert 0.1 < largest(dual.leaky_value(s, rho, near, radius), true) <= 1
            # The angle's own error, enlarged on purpose, is carried.
            wide = dual.leaky_value(s, rho, near + 1e-9, radius + 1e-9)
            assert 0.9 < largest(wide, true) <= 1


def test_lane_remainder_of_elus_table() -> None:
    """At degree 2 the remainder is nearly all of the error: so the bound on the strip is needed."""
    found = taylor.build(taylor.Source(dual._elu_series, dual._elu_strip, (0, 4)), 2)
    none = taylor.build(taylor.Source(dual._elu_series, lambda: (arb(1), arb("1e-9")), (0, 4)), 2)
    theta = np.array([1.0, 9.0, 17.0, 31.0, 41.0]) / 32
    outside = 0
    for table in (found, none):
        out = [np.empty(theta.size) for _ in range(4)]
        args = table.coefficients, table.radii, table.far, table.ends, 1.0, 1.0
        taylor.evaluate(theta, np.zeros(0), 0, *args, *out)
        with precision(150):
            for t, v, r in zip(theta.tolist(), out[0].tolist(), out[1].tolist(), strict=True):
                inside = abs(_elu(arb(t).cos()) - arb(v)) <= arb(r)
                assert inside or table is none
                outside += not inside
    assert outside >= 3


def test_lane_elu_at_exact_cosines(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no error of rho, the table's own radius has nothing to hide behind; a radius given to it is carried."""
    rho = np.random.default_rng(15).uniform(-1, 1, (1, 60))
    zero = np.zeros_like(rho)

    def share() -> float:
        value, radius = covariance._elu(None, 0, rho, zero)  # type: ignore[arg-type]
        with precision(150):
            off = [
                float(abs(arb(x) * _elu(arb(x)) - arb(v)).upper())
                for x, v in zip(rho[0].tolist(), value[0], strict=True)
            ]
        return float((off / radius[0]).max())

    assert 0.2 < share() <= 1
    original = dual.elu_derivative
    monkeypatch.setattr(dual, "elu_derivative", lambda *given: (original(*given)[0], zero))
    assert share() > 1


def test_lane_angles_at_all_distances() -> None:
    """arccos |rho| for exact rho, by cosines and by differences, in several dimensions."""
    rng = np.random.default_rng(12)
    largest = 0.0
    for d in (2, 5, 40):
        x = rng.normal(size=(60, d))
        y = x * rng.choice([-1, 1], (60, 1)) + 10 ** rng.uniform(-17, 0.5, (60, 1)) * rng.normal(size=(60, d))
        X = np.concatenate([x, y])
        X /= np.linalg.norm(X, axis=1)[:, None]
        found = covariance._Rows(X)
        alpha, radius = found.angles(0, *found.cosines(0, 120))
        with precision(400):
            for i in range(60):
                a, b = ([arb(v) for v in z.tolist()] for z in (X[i], X[60 + i]))
                inner = sum((p * q for p, q in zip(a, b, strict=True)), arb(0))
                square = sum((p * p for p in a), arb(0)) * sum((q * q for q in b), arb(0)) - inner * inner
                true = (square.abs_upper().sqrt() / abs(inner)).atan()
                off = float(abs(arb(alpha[i, 60 + i]) - true).upper())
                assert off <= radius[i, 60 + i]
                assert radius[i, 60 + i] <= 1e-15 + (d + 40) * 2.0**-53 * alpha[i, 60 + i] * 8
                largest = max(largest, off / radius[i, 60 + i])
    assert largest > 0.15


@pytest.mark.parametrize("name, layer", [("arctan", "hidden"), ("elu", "output"), ("tanh", "hidden")])
def test_lane_tail(name: str, layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between equal rows the tail is all there is; without it the truth lies outside, and with half of it too."""
    from dataclasses import replace

    original = covariance._series(activation(name), layer)
    rho = np.ones((1, 1))
    exact = moment_enclosure(activation(name), "mean_derivative_square" if layer == "hidden" else "mean_square")
    few = replace(original, coefficients=original.coefficients[:20], constant=0.0, linear=0.0, slope=0.0, squarings=4)
    with precision(BITS):
        kept = [arb(c) for c in few.coefficients.tolist()]
        tail = float((exact - sum(kept, arb(0))).upper())
        for share, holds in ((1.0, True), (0.5, False), (0.0, False)):
            shorter = replace(few, tail=share * tail * (1 + 1e-10))
            value, radius = shorter(None, 0, rho, np.zeros((1, 1)))  # type: ignore[arg-type]
            slack = 64 * 2.0**-53 * value[0, 0]  # Horner's term is switched off here
            assert (abs(arb(value[0, 0]) - exact) <= arb(radius[0, 0]) + slack) == holds


@pytest.mark.parametrize("name", ["tanh", "softplus", "sin"])
def test_lane_horner(name: str) -> None:
    """The compiled Horner rule against exact arithmetic on the same coefficients."""
    from dataclasses import replace

    found = covariance._series(activation(name), "hidden")
    bare = replace(found, slope=0.0, tail=0.0)
    rho = np.concatenate([np.linspace(-1, 1, 101), [1e-300, 5e-324, 1e-9]])[None, :]
    value, radius = bare(None, 0, rho, np.zeros_like(rho))  # type: ignore[arg-type]
    shares = []
    with precision(2000):
        coefficients = [arb(c) for c in found.coefficients.tolist()]
        for x, v, r in zip(rho[0].tolist(), value[0].tolist(), radius[0].tolist(), strict=True):
            total = arb(0)
            for c in coefficients[::-1]:
                total = total * arb(x) + c
            shares.append(float((abs(total * arb(x) - arb(v)) / arb(r)).upper()))
    assert max(shares) <= 1
    assert max(shares) > 0.05
