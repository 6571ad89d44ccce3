"""softplus, sigmoid, tanh, silu, elu, gaussian: one exponential of a nonpositive number and at most one division.

Everything is written in e = exp(-|z|) (or its square), which lies in [0, 1]: no overflow, and the small one of two
complementary values (sigma(z) and sigma(-z), say) is found by products and not by a difference, so both tails keep
their relative accuracy. Coefficients were found by Remez exchange at 60 digits and then rounded; the comment at each
table gives the largest error of the rounded polynomial, and `tests/test_elementwise.py` holds it against that.
"""

from __future__ import annotations

from .instructions import bits, copysign, from_bits, limited, multiply_add, polynomial, scalar, select

__all__ = ["elu", "exponential", "gaussian", "sigmoid", "silu", "softplus", "square", "tanh"]

#: (exp(r) - 1 - r - r^2/2)/r^3 on |r| <= log(2)/2: relative error of exp(r) - 1 below 2^-60.
EXPM1 = (
    0.16666666666666677,
    0.04166666666666669,
    0.008333333333321698,
    0.0013888888888870133,
    0.0001984126988597825,
    2.4801587356170105e-05,
    2.7557244343530785e-06,
    2.755724549538658e-07,
    2.5108993791415422e-08,
    2.09237942118761e-09,
)
#: (atanh(s)/s - 1)/s^2 in s^2 on 0 <= s <= 1/3: relative error of atanh(s) below 2^-57.9.
ATANH = (
    0.33333333333333154,
    0.20000000000078694,
    0.14285714273916908,
    0.1111111198553069,
    0.09090871937732253,
    0.0769328051286078,
    0.06650479266540887,
    0.06053104735409736,
    0.041697732249614164,
    0.08509816467465435,
)

LOG2E = 1.4426950408889634
#: log 2 in two parts: the first has 33 bits, so that a multiple of it by an integer below 2^20 is exact.
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
#: Added to a number below 2^51, this leaves its nearest integer, plus the exponent bias, in the last bits.
SHIFT = 1.5 * 2.0**52 + 1023.0
#: Below this the scale 2^k would leave the normal range; 2^192 is taken out of it and put back at the very end.
DEEP = -690.0
DEEP_SHIFT, DEEP_SCALE = SHIFT + 192.0, 2.0**-192
#: exp(-LOWEST) is zero in float64, and stays so when multiplied by any argument that is not clipped to it.
LOWEST = 800.0
#: Where exp(-z^2/2) is that small.
LOWEST_ROOT = 40.0
#: Keeps the upper 26 bits of a significand, whose square is exact.
UPPER_HALF = ~((1 << 27) - 1)


@scalar
def exponential(x: float, low: float) -> tuple[float, float, float]:
    """(s, q, t) with ``exp(x + low) = s (1 + q) t``, for -LOWEST <= x <= 0 and tiny low.

    s and t are powers of two. ``t = 1`` except where the exponential is below 2^-995 or so: a product with t, as the
    last operation, rounds once into the subnormal range. q has relative accuracy, so ``s q + (s - 1)`` is expm1.
    """
    deep = x < DEEP
    shift = select(deep, DEEP_SHIFT, SHIFT)
    shifted = multiply_add(x, LOG2E, shift)
    k = shifted - shift
    s = from_bits(bits(shifted) << 52)
    r = multiply_add(-k, LN2_HIGH, x) + multiply_add(-k, LN2_LOW, low)
    q = multiply_add(r * r, multiply_add(r, polynomial(r, EXPM1), 0.5), r)
    return s, q, select(deep, DEEP_SCALE, 1.0)


@scalar
def square(a: float) -> tuple[float, float]:
    """a^2 as an exact high part and a low part.

    An exponential turns an error of u a^2 in its exponent into one of a^2 ulp.
    """
    high = from_bits(bits(a) & UPPER_HALF)
    return high * high, (a - high) * (a + high)


@scalar
def softplus(z: float, parameter: float) -> tuple[float, float]:
    """max(z, 0) + log1p(e) with e = exp(-|z|), log1p(e) = 2 atanh(e/(2 + e)); and the sigmoid."""
    s, q, t = exponential(-limited(abs(z), LOWEST), 0.0)
    e = multiply_add(s, q, s) * t
    one, two = 1.0 + e, 2.0 + e
    inverse = 1.0 / (one * two)
    halved = one * inverse  # 1/(2 + e)
    ratio = e * halved
    w = ratio * ratio
    tail = multiply_add(w, polynomial(w, ATANH), 1.0) * (halved + halved) * e
    return select(z < 0.0, 0.0, z) + tail, two * inverse * select(z < 0.0, e, 1.0)


@scalar
def sigmoid(z: float, parameter: float) -> tuple[float, float]:
    """1/(1 + e) or e/(1 + e) with e = exp(-|z|); and e/(1 + e)^2."""
    s, q, t = exponential(-limited(abs(z), LOWEST), 0.0)
    e = multiply_add(s, q, s) * t
    r = 1.0 / (1.0 + e)
    return r * select(z < 0.0, e, 1.0), r * r * e


@scalar
def tanh(z: float, parameter: float) -> tuple[float, float]:
    """-m/(2 + m) with m = expm1(-2 |z|), relatively accurate at 0 too; and 4 e/(1 + e)^2 with e = 1 + m."""
    s, q, t = exponential(-2.0 * limited(abs(z), 0.5 * LOWEST), 0.0)
    m = multiply_add(s, q, s - 1.0)
    r = 1.0 / (2.0 + m)
    return copysign(m * r, z), r * r * multiply_add(s, q, s) * (4.0 * t)


@scalar
def silu(z: float, parameter: float) -> tuple[float, float]:
    """z sigma(z), and sigma(z) (1 + z sigma(-z)); z is clipped where a factor that vanishes meets it."""
    a = limited(abs(z), LOWEST)
    s, q, t = exponential(-a, 0.0)
    scaled = multiply_add(s, q, s)
    e = scaled * t
    r = 1.0 / (1.0 + e)
    negative = z < 0.0
    sigma = r * select(negative, scaled, 1.0)  # times t, for negative z
    scale = select(negative, t, 1.0)
    other = r * select(negative, 1.0, e)
    clipped = copysign(a, z)
    return select(negative, clipped, z) * sigma * scale, multiply_add(clipped, other, 1.0) * sigma * scale


@scalar
def elu(z: float, parameter: float) -> tuple[float, float]:
    """z where z > 0, else expm1(z); and exp(min(z, 0))."""
    s, q, t = exponential(-limited(select(z > 0.0, 0.0, -z), LOWEST), 0.0)
    return select(z < 0.0, multiply_add(s, q, s - 1.0), z), multiply_add(s, q, s) * t


@scalar
def gaussian(z: float, parameter: float) -> tuple[float, float]:
    """exp(-z^2/2), and -z exp(-z^2/2)."""
    a = limited(abs(z), LOWEST_ROOT)
    high, low = square(a)
    s, q, t = exponential(-0.5 * high, -0.5 * low)
    scaled = multiply_add(s, q, s)
    return scaled * t, -copysign(a, z) * scaled * t
