"""How numbers read in tables: what is printed is true as printed.

A value is shown down to the decade of its radius, and the radius shown is rounded up and includes what the printing
rounded off; interval ends and widths are rounded to the safe side.
"""

from __future__ import annotations

import math

from jacspec.rounding import Estimate

__all__ = ["count", "number", "radius", "rounded_up", "shown"]


def number(value: float, digits: int = 4) -> str:
    """Compact, rounded to nearest: 0.0153, 1.5e+07, inf. For what has no radius."""
    return "inf" if math.isinf(value) else f"{value + 0.0:.{digits}g}"


def rounded_up(value: float, digits: int) -> str:
    """A nonnegative number to `digits` significant digits, never below it."""
    if value == 0 or not math.isfinite(value):
        return number(value)
    unit = max(10.0 ** (math.floor(math.log10(value)) - digits + 1), 5e-324)
    text, raised = f"{value:.{digits}g}", value
    while float(text) < value:
        raised += unit
        text = f"{raised:.{digits}g}"
    return text


def _printed(e: Estimate, most: int) -> str:
    """The value, down to the decade of its radius, with at most `most` significant digits."""
    if e.radius == 0 or e.value == 0:
        return f"{e.value:.{most}g}"
    digits = math.floor(math.log10(abs(e.value))) - math.floor(math.log10(e.radius)) + 1
    return f"{e.value:.{max(1, min(most, digits))}g}"


def _straddles(e: Estimate) -> bool:
    return e.lower <= 0 < e.upper


def shown(e: Estimate, most: int = 15) -> str:
    """An estimate's value: `0 exactly` when it is, `[0, 3.2e-17]` when it cannot be told from zero."""
    if e.exact_zero:
        return "0 exactly"
    if math.isinf(e.value):
        return "inf" if e.radius == 0 else "unknown"
    if _straddles(e):
        low = max(e.lower, 0.0)
        return f"[{number(0.0) if low == 0 else f'-{rounded_up(-low, 2)}'}, {rounded_up(e.upper, 2)}]"
    return _printed(e, most)


def radius(e: Estimate, most: int = 15) -> str:
    """The radius of what `shown` prints, rounded up; empty where the value is exact or an interval is shown instead."""
    if e.radius == 0 or math.isinf(e.radius) or _straddles(e):
        return ""
    return rounded_up(e.radius + abs(float(_printed(e, most)) - e.value), 1)


def count(k: int | None) -> str:
    """A width or a number of steps: digits while they are few, rounded up to three digits and a power of ten beyond."""
    if k is None:
        return "-"
    if k < 10**8:
        return str(k)
    exponent = len(str(k)) - 1
    mantissa = -(-k // 10 ** (exponent - 2))
    if mantissa == 1000:
        mantissa, exponent = 100, exponent + 1
    return f"{mantissa / 100:.2f}e+{exponent:02d}"
