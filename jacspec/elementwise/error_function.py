"""erf and gelu, from one function: ``Phi(-a) exp(a^2/2)``, which is smooth and falls slowly.

Coefficients by Remez exchange at 60 digits, then rounded, as in `exponential`.
"""

from __future__ import annotations

from .exponential import LOWEST_ROOT, exponential, square
from .instructions import copysign, limited, multiply_add, polynomial, scalar, select

__all__ = ["erf", "gelu"]

#: (a + 5) Phi(-a) exp(a^2/2) in (a - 5)/(a + 5) on 0 <= a <= 41: relative error below 2^-55.3.
TAIL = (
    0.769193049750063,
    -0.6653825028900568,
    0.4953056159699761,
    -0.31353315667128795,
    0.16502036617040622,
    -0.06911863870686166,
    0.020795066799286728,
    -0.0029933767621261407,
    -0.0007978693896790444,
    0.0005448989949533312,
    -5.937580411431794e-05,
    -4.976246727222188e-05,
    1.668162253615517e-05,
    3.979839234624681e-06,
    -2.770663134309045e-06,
    -3.3463740989286136e-07,
    4.3616976554836756e-07,
    4.0240431140120455e-08,
    -6.99797491097343e-08,
    -8.571288792959764e-09,
    1.067657744362205e-08,
    2.1972233141486032e-09,
    -1.1223213931809041e-09,
    -3.659259615865143e-10,
)
#: erf(x)/x - 1 in x^2 on 0 <= x <= 1: error relative to erf(x) below 2^-56.2.
ERF = (
    0.1283791670955126,
    -0.3761263890318375,
    0.11283791670954857,
    -0.026866170645072837,
    0.005223977624780278,
    -0.0008548326978707116,
    0.00012055331035579076,
    -1.492559347426804e-05,
    1.6460972280465725e-06,
    -1.6350019401941348e-07,
    1.4657839843794732e-08,
    -1.136550821681698e-09,
    5.9449898033907e-11,
)

ROOT_2 = 1.4142135623730951
TWO_OVER_ROOT_PI = 1.1283791670955126
ONE_OVER_ROOT_2PI = 0.3989422804014327
#: exp(-x^2) is zero in float64 from here on.
LOWEST_ERF = 28.25


@scalar
def tail(a: float) -> float:
    """Phi(-a) exp(a^2/2) for 0 <= a <= 41."""
    inverse = 1.0 / (a + 5.0)
    return polynomial((a - 5.0) * inverse, TAIL) * inverse


@scalar
def erf(z: float, parameter: float) -> tuple[float, float]:
    """x + x P(x^2) below 1, else 1 - exp(-x^2) 2 tail(sqrt(2) x); and 2/sqrt(pi) exp(-x^2)."""
    a = limited(abs(z), LOWEST_ERF)
    high, low = square(a)
    s, q, t = exponential(-high, -low)
    e = multiply_add(s, q, s)
    near = multiply_add(a, polynomial(a * a, ERF), a)
    far = multiply_add(-2.0 * tail(ROOT_2 * a), e * t, 1.0)
    return copysign(select(a < 1.0, near, far), z), TWO_OVER_ROOT_PI * e * t


@scalar
def gelu(z: float, parameter: float) -> tuple[float, float]:
    """z Phi(z), and Phi(z) + z p(z), with Phi(-a) and p(a) as multiples of the same exp(-a^2/2)."""
    a = limited(abs(z), LOWEST_ROOT)
    high, low = square(a)
    s, q, t = exponential(-0.5 * high, -0.5 * low)
    e = multiply_add(s, q, s)
    h = tail(a)
    left = h * e  # Phi(-a) = left t
    slope = multiply_add(-ONE_OVER_ROOT_2PI, a, h) * e * t  # Phi(-a) - a p(a)
    negative = z < 0.0
    # Clipped where Phi vanishes; a large positive z keeps its size.
    value = select(negative, copysign(a, z) * left, z * multiply_add(-left, t, 1.0))
    return value * select(negative, t, 1.0), select(negative, slope, 1.0 - slope)
