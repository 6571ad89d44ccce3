"""Hermite coefficients: 40-digit quadrature, routes against each other, each error term on its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from families import MOMENTS
from flint import acb, arb
from mpmath.calculus.quadrature import GaussLegendre

from jacspec._checks import InputError
from jacspec.activations import BUILTIN, Activation, activation
from jacspec.hermite import (
    ball,
    hermite_coefficients,
    hermite_enclosures,
    measured,
    moment_enclosure,
)

NAMES = list(BUILTIN)
ALL = [*NAMES, "leaky_relu:slope=0.3", "leaky_relu:slope=-1.0", "leaky_relu:slope=-7.5"]
STRIP = [name for name in NAMES if BUILTIN[name].ball.strip is not None]
SERIES = [name for name in NAMES if BUILTIN[name].ball.series is not None]


pytestmark = pytest.mark.usefixtures("flint_context_is_left_alone")


def _mpf(x: Any, digits: int = 60) -> Any:
    return mp.mpf(x.mid().str(digits, radius=False)) if not x.is_zero() else mp.mpf(0)


def _contains(x: Any, true: Any, slack: Any) -> bool:
    """Whether the ball x, blown up by `slack` (the reference's own error), contains a 40-digit number."""
    with mp.workdps(60):
        return abs(_mpf(x) - true) <= mp.mpf(float(x.rad())) * (1 + mp.mpf(10) ** -9) + slack


# -- references -----------------------------------------------------------------------------------------------------

PRINTED = [
    ("tanh", 0, "0.6057055096021588"),
    ("tanh", 2, "-0.2571007561763512"),
    ("softplus", 1, "0.2066209641419070"),
    ("silu", 1, "0.3508454443245549"),
    ("gelu", 1, "0.4231421876608172"),
    ("erf", 0, "0.6514700158705599"),
]


@pytest.mark.parametrize("name, r, digits", PRINTED)
def test_printed_references(name: str, r: int, digits: str) -> None:
    for method in ("auto", "integral"):
        found = hermite_enclosures(BUILTIN[name], r + 1, digits=30, method=method)[r]
        with mp.workdps(40):
            assert abs(_mpf(found) - mp.mpf(digits)) <= mp.mpf("0.5001e-16")
    estimate = hermite_coefficients(BUILTIN[name], r + 1)[r]
    assert estimate.contains(float(digits)) or abs(estimate.value - float(digits)) <= 2e-16


def test_relu_and_other_closed_forms(many_bits: None) -> None:
    mu = hermite_enclosures(BUILTIN["relu"], 12, digits=40)
    assert mu[0].contains(arb(1) / 2)
    assert mu[1].overlaps(1 / (2 * arb.pi()).sqrt())
    for j in range(6):  # E[1_{g > 0} h_{2j+1}] = (-1)^j (2j-1)!! / sqrt((2j+1)! 2 pi)
        double = math.prod(range(1, 2 * j, 2))
        exact = (-1) ** j * double / (arb(math.factorial(2 * j + 1)) * 2 * arb.pi()).sqrt()
        assert mu[2 * j + 1].overlaps(exact)
        assert mu[2 * j + 1].rad() < 1e-40
    for j in range(2, 12, 2):
        assert mu[j].contains(0)
    leaky = hermite_enclosures(activation("leaky_relu:slope=-7.5"), 12, digits=40)
    assert leaky[0].contains(arb(-3.25))
    for r in range(1, 12):
        assert leaky[r].overlaps(arb(8.5) * mu[r])
    sine = hermite_enclosures(BUILTIN["sin"], 9, digits=40)
    for r in range(0, 9, 2):
        assert sine[r].overlaps((-1) ** (r // 2) * (-arb(1) / 2).exp() / arb(math.factorial(r)).sqrt())


def _gauss() -> tuple[list[Any], list[Any]]:
    """Nodes and weights (with the Gaussian density) of composite Gauss-Legendre quadrature on [-16, 16]."""
    with mp.workdps(50):
        rule = GaussLegendre(mp.mp).calc_nodes(5, mp.mp.prec)  # 48 nodes a panel
        x = [mp.mpf(p) + (t + 1) / 2 for p in range(-16, 16) for t, _ in rule]
        w = [c / 2 for _ in range(32) for _, c in rule]
        return x, [c * mp.npdf(t) for t, c in zip(x, w, strict=True)]


NODES, WEIGHTS = _gauss()


def _phi(name: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    sigma = lambda x: 1 / (1 + mp.exp(-x))  # noqa: E731
    cdf = lambda x: mp.erfc(-x / mp.sqrt(2)) / 2  # noqa: E731
    table = {
        "relu": (lambda x: max(x, 0), lambda x: mp.mpf(x > 0)),
        "leaky_relu": (lambda x: x if x > 0 else mp.mpf(0.01) * x, lambda x: mp.mpf(1) if x > 0 else mp.mpf(0.01)),
        "softplus": (lambda x: mp.log1p(mp.exp(x)), sigma),
        "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2),
        "sigmoid": (sigma, lambda x: sigma(x) * sigma(-x)),
        "erf": (mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
        "gelu": (lambda x: x * cdf(x), lambda x: cdf(x) + x * mp.npdf(x)),
        "silu": (lambda x: x * sigma(x), lambda x: sigma(x) * (1 + x * sigma(-x))),
        "elu": (lambda x: x if x > 0 else mp.expm1(x), lambda x: mp.mpf(1) if x > 0 else mp.exp(x)),
        "sin": (mp.sin, mp.cos),
        "arctan": (mp.atan, lambda x: 1 / (1 + x * x)),
        "gaussian": (lambda x: mp.exp(-x * x / 2), lambda x: -x * mp.exp(-x * x / 2)),
        "quadratic": (lambda x: x * x / 2, lambda x: x),
        "linear": (lambda x: x, lambda x: mp.mpf(1)),
    }
    return table[name]


@pytest.mark.parametrize("name", NAMES)
def test_forty_digit_quadrature(name: str) -> None:
    """mu_0 .. mu_9 and the moments against Gauss-Legendre quadrature in mpmath: another rule, another library."""
    phi, dphi = _phi(name)
    with mp.workdps(50):
        slope = [dphi(x) for x in NODES]
        value = [phi(x) for x in NODES]
        slack = mp.mpf(10) ** -40
        proved = hermite_enclosures(BUILTIN[name], 10, digits=42)
        previous, current = [mp.mpf(0)] * len(NODES), WEIGHTS
        for r in range(10):
            assert _contains(proved[r], mp.fdot(slope, current), slack), r
            root, next_root = mp.sqrt(r), mp.sqrt(r + 1)
            previous, current = (
                current,
                [(x * h - root * p) / next_root for x, h, p in zip(NODES, current, previous, strict=True)],
            )
        mean = mp.fdot(value, WEIGHTS)
        square = mp.fsum(v * v * w for v, w in zip(value, WEIGHTS, strict=True))
        energy = mp.fsum(v * v * w for v, w in zip(slope, WEIGHTS, strict=True))
        for which, true in zip(MOMENTS, (mean, square, energy, square - mean**2), strict=True):
            assert _contains(moment_enclosure(BUILTIN[name], which, digits=42), true, slack), which


# -- routes against each other --------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [30, 60])
@pytest.mark.parametrize("name", ALL)
def test_routes_overlap_and_are_narrow(name: str, digits: int) -> None:
    phi = activation(name)
    count = 9 if digits == 30 else 4
    goal = arb(10) ** -digits
    first = hermite_enclosures(phi, count, digits=digits)
    second = hermite_enclosures(phi, count, digits=digits, method="integral")
    for a, b in zip(first, second, strict=True):
        assert a.overlaps(b)
        assert a.rad() <= goal
        assert b.rad() <= goal
    for which in MOMENTS:
        a = moment_enclosure(phi, which, digits=digits)
        b = moment_enclosure(phi, which, digits=digits, method="integral")
        assert a.overlaps(b)
        assert a.rad() <= goal
        assert b.rad() <= goal


@pytest.mark.parametrize("name", NAMES)
def test_more_digits_stay_inside(name: str) -> None:
    """100 digits narrow down 15; a bound that is too small at low precision shows here."""
    low = hermite_enclosures(BUILTIN[name], 24, digits=15)
    high = hermite_enclosures(BUILTIN[name], 24, digits=100)
    for a, b in zip(low, high, strict=True):
        assert a.overlaps(b)
        assert b.rad() <= arb(10) ** -100
    low_moments = [moment_enclosure(BUILTIN[name], which, digits=15) for which in MOMENTS]
    for which, a in zip(MOMENTS, low_moments, strict=True):
        b = moment_enclosure(BUILTIN[name], which, digits=100)
        assert a.overlaps(b)
        assert b.rad() <= arb(10) ** -100


@pytest.mark.parametrize("name", ["relu", "elu", "gelu", "tanh", "sin"])
def test_two_thousand_terms(name: str, many_bits: None) -> None:
    """The documented limit is reached, still narrow, and agrees with a shorter run."""
    many = hermite_enclosures(BUILTIN[name], 2000, digits=20)
    few = hermite_enclosures(BUILTIN[name], 40, digits=30)
    assert len(many) == 2000
    assert max(float(m.rad()) for m in many) <= 1e-20
    assert all(a.overlaps(b) for a, b in zip(many, few, strict=False))
    total = moment_enclosure(BUILTIN[name], "mean_derivative_square", digits=20)
    assert sum((m * m for m in many), arb(0)) < total + arb("1e-15")


# -- identities -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_parseval(name: str, many_bits: None) -> None:
    phi = activation(name)
    count = phi.ball.terms + 60
    balls_ = hermite_enclosures(phi, count, digits=40)
    total = moment_enclosure(phi, "mean_derivative_square", digits=40)
    left = total - sum((m * m for m in balls_), arb(0))
    assert left.upper() >= 0  # a strict violation would disprove some enclosure
    if name not in ("relu", "elu") and not name.startswith("leaky"):
        # Analytic with a strip of half-width b: mu_r^2 decays like exp(-2 b sqrt r), b = 1 at the least.
        assert abs(left.upper()) <= 1e-10
    if phi.degree is None and not name.startswith(("relu", "leaky")):
        # The same for phi itself: E phi^2 = (E phi)^2 + sum mu_{r-1}^2 / r, the rest at most left / (count + 1).
        variance = moment_enclosure(phi, "variance", digits=40)
        rest = variance - sum((m * m / (r + 1) for r, m in enumerate(balls_)), arb(0))
        assert rest.upper() >= 0
        assert rest.lower() <= (left / (count + 1)).upper()


def test_stein_identity_between_softplus_and_sigmoid(many_bits: None) -> None:
    """mu_{r+1}(softplus) = mu_r(sigmoid) / sqrt(r + 1): softplus' = sigmoid."""
    softplus = hermite_enclosures(BUILTIN["softplus"], 41, digits=50)
    sigmoid = hermite_enclosures(BUILTIN["sigmoid"], 40, digits=50)
    for r in range(40):
        difference = softplus[r + 1] - sigmoid[r] / arb(r + 1).sqrt()
        assert difference.contains(0)
        assert difference.rad() < 1e-49
    assert softplus[0].contains(arb(1) / 2)
    # Stein once more: E[g sigma(g)] = E sigma'(g).
    assert moment_enclosure(BUILTIN["silu"], "mean", digits=50).overlaps(sigmoid[0])


#: phi' even: no odd terms. phi' odd: no even ones. phi' - 1/2 odd: no even ones but the first.
_ODD, _EVEN = frozenset(range(1, 12, 2)), frozenset(range(0, 12, 2))
ZEROS = dict.fromkeys(("tanh", "erf", "sin", "arctan", "sigmoid", "linear"), _ODD)
ZEROS |= dict.fromkeys(("gaussian", "quadratic"), _EVEN) | {"elu": frozenset()}
ZEROS |= dict.fromkeys(("relu", "leaky_relu", "gelu", "softplus", "silu"), _EVEN - {0})


@pytest.mark.parametrize("name", NAMES)
def test_zeros_are_exact(name: str) -> None:
    phi = BUILTIN[name]
    for method in ("auto", "integral"):
        for r, m in enumerate(hermite_enclosures(phi, 6, digits=20, method=method)):
            beyond = phi.degree is not None and r >= phi.degree
            if r in ZEROS[name] or (beyond and method == "auto"):
                assert m.is_zero()
            else:
                assert beyond or not m.contains(0)
    for r, estimate in enumerate(hermite_coefficients(phi, 12)):
        beyond = phi.degree is not None and r >= phi.degree
        assert phi.vanishes(r) == (r in ZEROS[name])
        assert estimate.exact_zero == (r in ZEROS[name] or beyond)
        assert estimate.rigorous
        if beyond:
            assert "polynomial" in estimate.note
        elif estimate.exact_zero:
            half = name in ("relu", "leaky_relu", "gelu", "softplus", "silu")
            parity = "even" if r % 2 else "odd"
            assert estimate.note == ("phi' is odd up to a constant" if half else f"phi' is {parity}")
        else:
            assert not estimate.contains(0)
            assert estimate.note == ""


@pytest.mark.parametrize("name", NAMES)
def test_zeros_are_zero_without_being_told(name: str) -> None:
    """The routes themselves, before symmetry is imposed, enclose zero there."""
    spec = BUILTIN[name].ball
    for r in sorted(ZEROS[name])[:3]:
        assert ball.by_integral(spec, r, 80).contains(0)
        found = ball.by_trapezoid(spec, r + 1, 80) if spec.strip else ball.by_series(spec, r + 1)
        assert found[r].contains(0)


# -- the bounds behind the trapezoid rule ---------------------------------------------------------------------------


def _bounded_on_line(f: Callable[[Any], Any], height: float, bound: float, reach: float) -> bool:
    """Whether |f(x + i height)| <= bound for |x| <= reach, by subdivision in ball arithmetic."""
    boxes = [(-reach, reach)]
    count = 0
    while boxes:
        a, b = boxes.pop()
        count += 1
        if count > 20_000:
            return False
        value = f(acb(arb(0.5 * (a + b), 0.5 * (b - a) * (1 + 1e-12)), arb(height)))
        size = abs(value)
        if not (size.is_finite() and size <= bound):
            if b - a < 1e-7:
                return False
            boxes += [(a, 0.5 * (a + b)), (0.5 * (a + b), b)]
    return True


@pytest.mark.parametrize("name", STRIP)
def test_strip_bounds(name: str) -> None:
    """|phi'| on the edge of the strip; by the maximum principle (phi' is bounded in it) that bounds it inside."""
    a, sup = BUILTIN[name].ball.strip()
    height, bound = float(a), float(sup)
    poles = {"tanh": math.pi / 2, "arctan": 1.0}.get(name, math.pi)
    assert height < poles
    derivative = BUILTIN[name].ball.pieces[0].derivative
    # (phi' is real on the real line, so the lower edge is the mirror image.) Far out, |phi'| is 0 or 1 up to e^-30.
    # Where the bound is attained, intervals need some room; points do not.
    assert _bounded_on_line(lambda z: derivative(z, False), height, bound * (1 + 1e-4), 40.0)
    largest = max(abs(complex(derivative(acb(x, height), False))) for x in np.linspace(-9, 9, 721))
    assert largest <= bound * (1 + 1e-14)
    assert largest >= bound / 6  # not absurdly large: digits are not wasted
    assert not _bounded_on_line(lambda z: derivative(z, False), height, largest * 0.99, 40.0)


@pytest.mark.parametrize("name", ["softplus", "silu"])
def test_mean_strip_bounds(name: str) -> None:
    """E|phi(g + iy)| by quadrature at heights across the strip."""
    a, bound = BUILTIN[name].ball.mean_strip()
    x = np.linspace(-12, 12, 4001)
    weight = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi) * (x[1] - x[0])
    for y in np.linspace(0, float(a), 6):
        z = x + 1j * y
        sigma = 1 / (1 + np.exp(-z))
        value = z * sigma if name == "silu" else np.log(1 + np.exp(z))
        assert float(np.sum(np.abs(value) * weight)) <= float(bound)


@pytest.mark.parametrize("y", [0.3, 1.25, 2.5])
def test_laguerre_is_the_shifted_second_moment(y: float) -> None:
    """E|h_r(g + iy)|^2 = L_r(-y^2), exactly by Gauss-Hermite quadrature, increasing in r and y."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    z = nodes + 1j * y
    previous, current = np.zeros_like(z), np.ones_like(z)
    last = 0.0
    for r in range(40):
        expected = float(np.sum(weights * np.abs(current) ** 2))
        found = float(ball._laguerre(r, arb(y) * arb(y)))
        assert abs(found - expected) <= 1e-9 * expected
        assert found > last
        last = found
        previous, current = current, (z * current - math.sqrt(r) * previous) / math.sqrt(r + 1)


def test_cramer() -> None:
    """|h_r(x)| exp(-x^2 / 4) <= 1.0865, nearly reached at r = 0 and 1, up to 500."""
    x = np.linspace(0, 50, 20_001)
    table = np.abs(measured.hermite_table(x, 500))
    constant = float(ball._CRAMER.lower())
    assert table.max() <= constant
    assert constant <= 1.0866
    assert table.max() >= 0.9


GRIDS = {"step": (1, 40), "tail": (16, 48), "both": (2, 7)}


@pytest.mark.parametrize("lane", list(GRIDS))
@pytest.mark.parametrize("name", STRIP)
def test_trapezoid_error_terms_alone(name: str, lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a grid far too coarse (or short) the enclosure must still hold: that error term is then all there is."""
    spec = BUILTIN[name].ball
    true = hermite_enclosures(BUILTIN[name], 14, digits=30)
    monkeypatch.setattr(ball, "_grid", lambda bits, width: GRIDS[lane])
    found = ball.by_trapezoid(spec, 14, 100)
    ratio = []
    for r, (a, b) in enumerate(zip(found, true, strict=True)):
        assert a.overlaps(b), (name, lane, r)
        ratio.append(float(abs(a.mid() - b.mid()) / a.rad()))
    # The error is real, so the term is needed: without it (rounding is below 2^-100) the test would fail.
    assert max(ratio) <= 1
    assert max(abs(float(a.mid() - b.mid())) for a, b in zip(found, true, strict=True)) > 1e-25


@pytest.mark.parametrize("lane", list(GRIDS))
@pytest.mark.parametrize("name, which", [(n, w) for n in STRIP for w in MOMENTS[:3]])
def test_moment_error_terms_alone(name: str, which: str, lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    true = moment_enclosure(BUILTIN[name], which, digits=40, method="integral")
    calls = []

    def grid(bits: int, width: float) -> tuple[int, int]:
        calls.append(bits)
        return GRIDS[lane]

    monkeypatch.setattr(ball, "_grid", grid)
    found = moment_enclosure(BUILTIN[name], which, digits=40)
    assert found.overlaps(true)
    if calls:
        assert float(found.rad()) > 1e-25
        assert float(abs(found.mid() - true.mid())) > 1e-30


@pytest.mark.parametrize("length", [2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_integral_tails_alone(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Integrals over a short interval: the tail bound must make up for the rest."""
    spec = BUILTIN[name].ball
    true = hermite_enclosures(BUILTIN[name], 5, digits=30)
    moments = {which: moment_enclosure(BUILTIN[name], which, digits=30) for which in MOMENTS[:3]}
    monkeypatch.setattr(ball, "_length", lambda bits: arb(length))
    for r in range(5):
        assert ball.by_integral(spec, r, 80).overlaps(true[r])
    for which, moment in moments.items():
        assert ball.moment_by_integral(spec, which, 80).overlaps(moment)


@pytest.mark.parametrize("name", NAMES)
def test_declared_growth(name: str) -> None:
    """|phi'(x)| <= c0 + c1 |x|, from the proved supremum; and |phi(0)| <= 1, which the moment bounds use."""
    phi = BUILTIN[name]
    c0, c1 = phi.ball.growth
    if c1 == 0:
        assert phi.B1.upper <= c0
        assert c0 <= 1.2 * phi.B1.upper + 0.4
    else:
        assert name == "quadratic"
        assert (c0, c1) == (0.0, 1.0)
    assert abs(float(phi(0.0))) <= 1


@pytest.mark.parametrize("name", ALL)
def test_ball_pieces_are_the_activation(name: str) -> None:
    phi = activation(name)
    for piece in phi.ball.pieces:
        points = {"left": [-3.0, -0.25], "right": [0.25, 3.0], "both": [-3.0, -0.25, 0.0, 0.25, 3.0]}[piece.side]
        for x in points:
            for analytic in (False, True):
                assert abs(complex(piece.value(acb(x), analytic)) - float(phi(x))) <= 1e-14 * (1 + x * x * 8)
                assert abs(complex(piece.derivative(acb(x), analytic)) - float(phi.derivative(x))) <= 1e-14 * 8


# -- errors ---------------------------------------------------------------------------------------------------------

OWN = Activation.from_expression("x")
BAD_CALLS: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: hermite_enclosures(BUILTIN["tanh"], 0), "count", "at least 1"),
    (lambda: hermite_enclosures(BUILTIN["tanh"], 2001), "count", "at most 2000"),
    (lambda: hermite_enclosures(BUILTIN["tanh"], 2.5), "count", "an integer"),
    (lambda: hermite_enclosures(BUILTIN["tanh"], 3, digits=0), "digits", "at least 1"),
    (lambda: hermite_enclosures(BUILTIN["tanh"], 3, digits=1001), "digits", "at most 1000"),
    (lambda: hermite_enclosures(BUILTIN["tanh"], 3, method="trapez"), "method", "did you mean 'trapezoid'"),
    (lambda: hermite_enclosures(BUILTIN["tanh"], 3, method="series"), "method", "'auto' finds it"),
    (lambda: hermite_enclosures(BUILTIN["gelu"], 3, method="trapezoid"), "method", "'auto' finds it"),
    (lambda: hermite_enclosures(OWN, 3), "activation", "built-in"),
    (lambda: moment_enclosure(OWN, "mean"), "activation", "built-in"),
    (lambda: moment_enclosure(BUILTIN["tanh"], "median"), "which", "one of mean"),
    (lambda: moment_enclosure(BUILTIN["tanh"], "mean", method="series"), "method", "auto, integral"),
    (lambda: moment_enclosure(BUILTIN["tanh"], "mean", digits=-3), "digits", "at least 1"),
    (lambda: hermite_coefficients(BUILTIN["tanh"], 0), "count", "at least 1"),
    (lambda: hermite_coefficients(OWN, True), "count", "an integer"),
]


@pytest.mark.parametrize("call, argument, message", BAD_CALLS)
def test_errors(call: Callable[[], Any], argument: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.argument == argument
    assert message in str(caught.value)


def test_routes_by_name() -> None:
    for name in SERIES:
        a, b = (hermite_enclosures(BUILTIN[name], 5, digits=20, method=m) for m in ("auto", "series"))
        assert all(x.overlaps(y) and x.rad() == y.rad() for x, y in zip(a, b, strict=True))
    for name in STRIP:
        a, b = (hermite_enclosures(BUILTIN[name], 5, digits=20, method=m) for m in ("auto", "trapezoid"))
        assert all(x.overlaps(y) and x.rad() == y.rad() for x, y in zip(a, b, strict=True))
    assert set(SERIES) | set(STRIP) == set(NAMES)
    assert not set(SERIES) & set(STRIP)
