"""phi and phi' together, compiled to vector code: what a training step spends its time on beside matrix products.

`kernel_address` hands out the compiled kernel of a built-in activation, `phi_and_derivative` calls it on arrays, and
`ACCURACY` says how far off it may be. Nothing is compiled before it is asked for, and then one family only.

One file per kind of function (`algebraic`, `exponential`, `error_function`, `trigonometric`), written as formulas for
one number without a branch; `instructions` has the few processor instructions they need, and `compiled` the loop.
"""

from .accuracy import ACCURACY, Accuracy
from .evaluate import kernel_address, phi_and_derivative

__all__ = ["ACCURACY", "Accuracy", "kernel_address", "phi_and_derivative"]
