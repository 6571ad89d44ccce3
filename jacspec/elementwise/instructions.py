"""What the kernels need of the processor and Python cannot say: multiply-add, bits, selection, polynomials.

Each is one LLVM instruction or a handful, so a loop over calls of them has no branch and LLVM turns it into vector
code. `multiply_add` is one rounding where the processor fuses and two where it does not. Nothing here relies on either,
and the choice is the same in the vector body of a loop and in its scalar remainder: an entry has the same bits wherever
it stands, which fastmath flags would not promise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

__all__ = [
    "STRIP",
    "bits",
    "copysign",
    "from_bits",
    "limited",
    "multiply_add",
    "polynomial",
    "scalar",
    "select",
    "strip",
]

_DOUBLE, _INT64 = ir.DoubleType(), ir.IntType(64)
# Parts of numba whose own hints are missing, or describe the generator and not what compiled code calls.
_intrinsic: Any = intrinsic
_on_stack: Any = cgutils.alloca_once
_pointer_to: Any = types.CPointer

#: Entries that a kernel works on at a time: 2 KiB, beside the inputs and outputs in the first-level cache.
STRIP = 256

Function = TypeVar("Function", bound=Callable[..., Any])


def scalar(function: Function) -> Function:
    """Decorator: a function of numbers that compiled code calls."""
    register: Any = register_jitable
    # A call that is not inlined keeps the loop around it from becoming vector code, and LLVM inlines only short ones.
    return register(forceinline=True)(function)  # type: ignore[no-any-return]


def _fuse(builder: Any, a: Any, b: Any, c: Any) -> Any:
    signature = ir.FunctionType(_DOUBLE, [_DOUBLE] * 3)
    return builder.call(builder.module.declare_intrinsic("llvm.fmuladd", [_DOUBLE], signature), [a, b, c])


def _multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c."""
    signature = types.float64(types.float64, types.float64, types.float64)
    return signature, lambda context, builder, _, values: _fuse(builder, *values)


def _bits(typing: Any, x: Any) -> Any:
    """The 64 bits of a float64 as an integer."""
    return types.int64(types.float64), lambda context, builder, _, values: builder.bitcast(values[0], _INT64)


def _from_bits(typing: Any, x: Any) -> Any:
    """The float64 of these 64 bits."""
    return types.float64(types.int64), lambda context, builder, _, values: builder.bitcast(values[0], _DOUBLE)


def _select(typing: Any, condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, else y; both are evaluated."""
    signature = types.float64(types.boolean, types.float64, types.float64)
    return signature, lambda context, builder, _, values: builder.select(*values)


def _copysign(typing: Any, x: Any, y: Any) -> Any:
    """|x| with the sign of y."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        signature = ir.FunctionType(_DOUBLE, [_DOUBLE] * 2)
        return builder.call(builder.module.declare_intrinsic("llvm.copysign", [_DOUBLE], signature), values)

    return types.float64(types.float64, types.float64), generate


def _polynomial(typing: Any, x: Any, coefficients: Any) -> Any:
    """sum_i coefficients[i] x^i for a tuple of constants, at least two.

    Horner in x^2 on even and odd powers apart: a chain of operations half as long.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        c = [builder.extract_value(values[1], i) for i in range(signature.args[1].count)]

        def horner(y: Any, c: list[Any]) -> Any:
            total = c[-1]
            for coefficient in c[-2::-1]:
                total = _fuse(builder, total, y, coefficient)
            return total

        square = builder.fmul(values[0], values[0])
        return _fuse(builder, values[0], horner(square, c[1::2]), horner(square, c[0::2]))

    return types.float64(types.float64, coefficients), generate


def _widest_vectors(builder: Any) -> None:
    """Let the function that is being built use the widest vectors there are.

    LLVM prefers 256 bits to 512 on most processors of Intel that have both, for the sake of code with a few vectors in
    it. Kernels that do nothing else take 1.4 times as long then.
    """
    attributes = builder.function.attributes
    if isinstance(attributes, set):  # llvmlite's `add` refuses what it does not know, such as a target's attributes
        set.add(attributes, '"prefer-vector-width"="512"')
        attributes.add("noinline")  # in a caller's body the caller's attributes would count


def _strip(typing: Any) -> Any:
    """Room on the stack for `STRIP` numbers, which the compiler knows to overlap nothing."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        _widest_vectors(builder)
        room = _on_stack(builder, ir.ArrayType(_DOUBLE, STRIP))
        return builder.bitcast(room, ir.PointerType(_DOUBLE))

    return _pointer_to(types.float64)(), generate


multiply_add: Callable[[float, float, float], float] = _intrinsic(_multiply_add)
bits: Callable[[float], int] = _intrinsic(_bits)
from_bits: Callable[[int], float] = _intrinsic(_from_bits)
select: Callable[[bool, float, float], float] = _intrinsic(_select)
copysign: Callable[[float, float], float] = _intrinsic(_copysign)
polynomial: Callable[[float, tuple[float, ...]], float] = _intrinsic(_polynomial)
strip: Callable[[], Any] = _intrinsic(_strip)


@scalar
def limited(x: float, largest: float) -> float:
    """min(x, largest), and NaN for NaN."""
    return select(x > largest, largest, x)
