"""sin (with cos) and arctan. Coefficients by Remez exchange at 60 digits, then rounded, as in `exponential`."""

from __future__ import annotations

import math

from .instructions import bits, copysign, from_bits, multiply_add, polynomial, scalar, select

__all__ = ["SIN_LIMIT", "arctan", "sin", "sin_far"]

#: (sin(r)/r - 1)/r^2 in r^2 on |r| <= pi/4: relative error of sin below 2^-57.
SIN = (
    -0.16666666666666632,
    0.008333333333322413,
    -0.00019841269829807607,
    2.7557313691785998e-06,
    -2.5050758089444965e-08,
    1.5896793982890154e-10,
)
#: (cos(r) - 1 + r^2/2)/r^4 in r^2 on |r| <= pi/4: error of cos below 2^-59.
COS = (
    0.0416666666666666,
    -0.0013888888888874125,
    2.4801587289482272e-05,
    -2.755731435235087e-07,
    2.0875723274654536e-09,
    -1.1359647827745044e-11,
)
#: (arctan(t)/t - 1)/t^2 in t^2 on |t| <= tan(pi/8): relative error of arctan below 2^-58.5.
ARCTAN = (
    -0.333333333333332,
    0.19999999999954038,
    -0.1428571428024397,
    0.11111110785903767,
    -0.09090897829507444,
    0.07692061509913486,
    -0.06663118896897963,
    0.05847997810378537,
    -0.05039794244029394,
    0.0380769888547199,
    -0.017920789795466307,
)

#: Beyond this, the reduction below would want more bits of pi, and libm takes over.
SIN_LIMIT = 1e5
TWO_OVER_PI = 2 / math.pi
#: pi/2 in three parts of 37, 37 and 53 bits: multiples of the first two by an integer below 2^16 are exact. No float64
#: below SIN_LIMIT comes nearer to a multiple of pi/2 than 2^-60.5, where the error left is 2^-62 of the distance.
HALF_PI_1 = float.fromhex("0x1.921fb5444p+0")
HALF_PI_2 = float.fromhex("0x1.68c234c4cp-39")
HALF_PI_3 = float.fromhex("0x1.98a2e03707345p-77")
SHIFT = 1.5 * 2.0**52

HALF_PI, HALF_PI_LOW = math.pi / 2, float.fromhex("0x1.1a62633145c07p-54")
QUARTER_PI, QUARTER_PI_LOW = math.pi / 4, float.fromhex("0x1.1a62633145c07p-55")
TAN_PI_8, TAN_3PI_8 = 0.41421356237309503, 2.414213562373095


@scalar
def sin(z: float, parameter: float) -> tuple[float, float]:
    """sin z and cos z for |z| < SIN_LIMIT, after Cody and Waite; garbage, but no trap, beyond."""
    a = abs(z)
    shifted = multiply_add(a, TWO_OVER_PI, SHIFT)
    k = shifted - SHIFT
    quadrant = bits(shifted)
    # r + y = a - k pi/2: exact up to k times the third part of pi/2.
    first = multiply_add(-k, HALF_PI_1, a)
    second = k * HALF_PI_2
    r = first - second
    y = multiply_add(-k, HALF_PI_3, (first - r) - second)
    total = r + y
    y = (r - total) + y
    r = total
    w = r * r
    half = 0.5 * w
    s = r + multiply_add(r * w, polynomial(w, SIN), multiply_add(-half, y, y))
    head = 1.0 - half
    c = head + (((1.0 - head) - half) + multiply_add(w * w, polynomial(w, COS), -r * y))
    odd = (quadrant & 1) != 0
    sine, cosine = select(odd, c, s), select(odd, s, c)
    sign = ((quadrant & 2) << 62) ^ (bits(z) & bits(-0.0))
    return from_bits(bits(sine) ^ sign), from_bits(bits(cosine) ^ (((quadrant + 1) & 2) << 62))


@scalar
def sin_far(z: float) -> tuple[float, float]:
    """sin z and cos z by the C library, any z (NaN at infinity)."""
    return math.sin(z), math.cos(z)


@scalar
def arctan(z: float, parameter: float) -> tuple[float, float]:
    """arctan z by reduction to |t| <= tan(pi/8), t = z, (z - 1)/(z + 1) or -1/z; and 1/(1 + z^2)."""
    a = abs(z)
    large, middle = a > TAN_3PI_8, a > TAN_PI_8
    above = select(large, -1.0, select(middle, a - 1.0, a))
    below = select(large, a, select(middle, a + 1.0, 1.0))
    t = above / below
    w = t * t
    high = select(large, HALF_PI, select(middle, QUARTER_PI, 0.0))
    low = select(large, HALF_PI_LOW, select(middle, QUARTER_PI_LOW, 0.0))
    angle = high + (multiply_add(t * w, polynomial(w, ARCTAN), t) + low)
    # From 1e9 on, 1/(1 + z^2) = 1/z^2 to float64, and z^2 may overflow.
    return copysign(angle, z), select(a > 1e9, w, 1.0 / multiply_add(a, a, 1.0))
