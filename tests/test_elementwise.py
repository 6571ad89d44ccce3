"""The compiled pairs (phi, phi'): accuracy against 50 digits, the same bits wherever an entry stands, interface."""

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from test_activations import BUDGET, EDGES, REFERENCE, ROOTS, SCALE, _leaky

from jacspec import InputError, activation
from jacspec.activations import BUILTIN, Activation
from jacspec.elementwise import ACCURACY, error_function, exponential, kernel_address, phi_and_derivative, trigonometric
from jacspec.elementwise.compiled import FAMILIES, compiled
from jacspec.rounding import UNIT_ROUNDOFF as U

NAMES = list(BUILTIN)
SLOPES = [f"leaky_relu:slope={s}" for s in ("0.0", "0.3", "-1.0", "-7.5", "1000.0")]
DTYPES = [np.float64, np.float32]


def _boundaries() -> list[float]:
    """Where a kernel changes its formula, its quadrant or its power of two."""
    log2 = math.log(2)
    steps = [(k + 0.5) * log2 for k in (0, 1, 2, 3, 10, 52, 53, 54, 100, 994, 995, 996, 1021, 1022, 1073, 1074, 1075)]
    deep = [-exponential.DEEP, exponential.LOWEST]
    found = [f(x) for x in steps + deep for f in (float, lambda x: x / 2, math.sqrt, lambda x: math.sqrt(2 * x))]
    found += [exponential.LOWEST_ROOT, error_function.LOWEST_ERF, 1.0, math.sqrt(0.5), 5.0]
    found += [trigonometric.TAN_PI_8, trigonometric.TAN_3PI_8, 1e9, trigonometric.SIN_LIMIT]
    found += [k * math.pi / 4 for k in (1, 2, 3, 4, 5, 6, 7, 8, 9, 101, 1002, 63661, 63662, 127323)]
    # The float64 numbers below SIN_LIMIT that come nearest to multiples of pi/2, absolutely and relatively.
    found += [math.ldexp(float.fromhex("0x1.6c6cbc45dc8dep+5"), j) for j in range(11)]
    found += [float.fromhex("0x1.65a1dd290660fp+16"), float.fromhex("0x1.67e57cdd4dc54p+15")]
    found += [abs(end) for accuracy in ACCURACY.values() for end in accuracy.window if end]
    return found + ROOTS + EDGES


def _points() -> np.ndarray:
    rng = np.random.default_rng(20)
    cloud = []
    for x in _boundaries():
        below, above = math.nextafter(x, 0), math.nextafter(x, math.inf)
        cloud += [math.nextafter(below, 0), below, x, *([above] if math.isfinite(above) else [])]
    positive = np.concatenate(
        [
            np.exp(rng.uniform(math.log(1e-320), math.log(1e308), 300)),
            np.exp(rng.uniform(math.log(1e-3), math.log(1e3), 300)),
            rng.uniform(0, 12, 250),
            rng.uniform(0, 45, 100),
            rng.uniform(0, 760, 100),
            cloud,
        ]
    )
    return np.concatenate([-positive[::-1], [-0.0, 0.0], positive])


POINTS = _points()


def run(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The kernel called as a training step calls it, on an array of its own."""
    phi, dphi = np.full_like(z, np.nan), np.full_like(z, np.nan)
    family, parameters = BUILTIN[name].family if name in BUILTIN else "leaky_relu", dict(activation(name).parameters)
    kernel = compiled(family, z.dtype)
    kernel.call(z.ctypes.data, z.size, parameters.get("slope", 0.0), phi.ctypes.data, dphi.ctypes.data)
    return phi, dphi


@functools.cache
def truth(name: str) -> list[tuple[mp.mpf, mp.mpf]]:
    """phi and phi' at `POINTS`, to 50 digits."""
    found = []
    functions = REFERENCE[name] if name in REFERENCE else _leaky(dict(activation(name).parameters)["slope"])
    for x in POINTS.tolist():
        with mp.workdps(400 if name == "sin" and abs(x) > 1e15 else 50):
            z = mp.mpf(x)
            found.append((mp.mpf(functions[0](z)), mp.mpf(functions[1](z))))
    return found


def ulp(x: mp.mpf) -> mp.mpf:
    """The spacing of float64 at a real number."""
    return mp.ldexp(1, max(int(mp.frexp(x)[1]) - 1, -1022) - 52)


def excess(name: str, phi: np.ndarray, dphi: np.ndarray) -> tuple[float, float, float]:
    """Errors at `POINTS`: of phi and phi' in ulp, and of phi' in u inside the window."""
    accuracy = ACCURACY[activation(name).family]
    low, high = accuracy.window
    worst = [0.0, 0.0, 0.0]
    with mp.workdps(50):
        for x, value, slope, exact in zip(POINTS.tolist(), phi.tolist(), dphi.tolist(), truth(name), strict=True):
            for order, (computed, true) in enumerate(zip((value, slope), exact, strict=True)):
                if abs(true) >= mp.mpf(2) ** 1024 - mp.mpf(2) ** 970:  # what rounding to nearest calls infinite
                    assert computed == math.copysign(math.inf, true), (name, order, x)
                    continue
                assert math.isfinite(computed), (name, order, x)
                cancels = order == 1 and low < x < high
                error = abs(mp.mpf(computed) - true) / (U if cancels else ulp(true))
                place = 2 if cancels else order
                worst[place] = max(worst[place], float(error))
    return worst[0], worst[1], worst[2]


def assert_accurate(name: str, phi: np.ndarray, dphi: np.ndarray) -> None:
    accuracy = ACCURACY[activation(name).family]
    found = excess(name, phi, dphi)
    stated = accuracy.phi, accuracy.dphi, accuracy.floor
    assert all(f <= s for f, s in zip(found, stated, strict=True)), f"{name}: {found} against {stated}"


# -- accuracy -------------------------------------------------------------------------------------------------------


def test_every_builtin_family_has_a_kernel_and_an_accuracy() -> None:
    families = {a.family for a in BUILTIN.values()}
    assert families == set(FAMILIES) == set(ACCURACY)
    assert all(kernel_address(name, dtype) is not None for name in NAMES for dtype in DTYPES)


@pytest.mark.parametrize("name", [*NAMES, *SLOPES])
def test_accuracy_over_the_whole_range(name: str) -> None:
    assert_accurate(name, *run(name, POINTS))


def test_stated_accuracy_is_not_generous() -> None:
    """A bound that nothing comes near would hide a kernel that got worse."""
    for name in NAMES:
        accuracy = ACCURACY[BUILTIN[name].family]
        found = excess(name, *run(name, POINTS))
        for f, stated in zip(found, (accuracy.phi, accuracy.dphi, accuracy.floor), strict=True):
            assert f >= 0.25 * stated, (name, found)


@pytest.mark.parametrize("name", [*NAMES, *SLOPES])
def test_float32_is_float64_rounded_once(name: str) -> None:
    with np.errstate(over="ignore", under="ignore"):
        z = POINTS.astype(np.float32)
    found = run(name, z)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for single, double in zip(found, run(name, z.astype(np.float64)), strict=True):
            np.testing.assert_array_equal(single, double.astype(np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_activation(name: str) -> None:
    """Within the sum of the two error bounds."""
    phi = BUILTIN[name]
    accuracy, found, expected = ACCURACY[phi.family], run(name, POINTS), (phi(POINTS), phi.derivative(POINTS))
    with mp.workdps(50):
        for order in (0, 1):
            c, q = BUDGET[name][order]
            ulps = (accuracy.phi, accuracy.dphi)[order]
            for x, a, b, exact in zip(
                POINTS.tolist(), found[order].tolist(), expected[order].tolist(), truth(name), strict=True
            ):
                if math.isinf(a) and a == b:
                    continue
                z, true = mp.mpf(x), exact[order]
                scale = SCALE.get((name, order), lambda _, true=true: abs(true))(z)
                floor = mp.mpf(2) ** -1020 * (1 + min(abs(z), 1000)) ** 2
                bound = U * (c + q * z * z) * scale + ulps * ulp(true) + accuracy.floor * U * scale + floor
                assert abs(mp.mpf(a) - mp.mpf(b)) <= bound, (name, order, x)


@pytest.mark.parametrize("name", [n for n in NAMES if BUILTIN[n].parity])
def test_parity_is_exact(name: str) -> None:
    sign = 1.0 if BUILTIN[name].parity == "even" else -1.0
    (phi, dphi), (mirrored, mirrored_slope) = run(name, POINTS), run(name, -POINTS)
    np.testing.assert_array_equal(mirrored, sign * phi)
    np.testing.assert_array_equal(mirrored_slope, -sign * dphi)


#: phi(-inf), phi(inf), phi'(-inf), phi'(inf).
LIMITS = {
    "relu": (0, math.inf, 0, 1),
    "leaky_relu": (-math.inf, math.inf, 0.01, 1),
    "leaky_relu:slope=0.0": (0, math.inf, 0, 1),
    "softplus": (0, math.inf, 0, 1),
    "tanh": (-1, 1, 0, 0),
    "sigmoid": (0, 1, 0, 0),
    "erf": (-1, 1, 0, 0),
    "gelu": (0, math.inf, 0, 1),
    "silu": (0, math.inf, 0, 1),
    "elu": (-1, math.inf, 0, 1),
    "sin": (math.nan,) * 4,
    "arctan": (-math.pi / 2, math.pi / 2, 0, 0),
    "gaussian": (0, 0, 0, 0),
    "quadratic": (math.inf, math.inf, -math.inf, math.inf),
    "linear": (-math.inf, math.inf, 1, 1),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(name: str, dtype: type) -> None:
    z = np.array([-math.inf, math.inf, math.nan, -0.0, 0.0], dtype=dtype)
    phi, dphi = phi_and_derivative(name, z)
    np.testing.assert_array_equal([*phi[:2], *dphi[:2]], np.array(LIMITS[name], dtype=dtype))
    assert np.isnan(phi[2])
    assert np.isnan(dphi[2]) == np.isnan(activation(name).derivative(math.nan))
    # The kinks take the limit from the left, and at -0.0 nothing differs.
    assert dphi[3] == dphi[4] == dtype(activation(name).derivative(0.0))
    assert phi[3] == phi[4]
    assert abs(phi[4] - activation(name)(0.0)) <= np.spacing(phi[4])


#: table: (its function, the interval, the weight that makes it an error of what it stands for, binary digits).
APPROXIMATIONS = {
    "EXPM1": (
        exponential.EXPM1,
        lambda r: (mp.expm1(r) - r - r * r / 2) / r**3,
        (-math.log(2) / 2, math.log(2) / 2),
        lambda r: r**3 / mp.expm1(r),
        60,
    ),
    "ATANH": (
        exponential.ATANH,
        lambda w: (mp.atanh(mp.sqrt(w)) / mp.sqrt(w) - 1) / w,
        (0, 1 / 9),
        lambda w: w * mp.sqrt(w) / mp.atanh(mp.sqrt(w)),
        57.9,
    ),
    "SIN": (
        trigonometric.SIN,
        lambda w: (mp.sin(mp.sqrt(w)) / mp.sqrt(w) - 1) / w,
        (0, math.pi**2 / 16),
        lambda w: w * mp.sqrt(w) / mp.sin(mp.sqrt(w)),
        57,
    ),
    "COS": (
        trigonometric.COS,
        lambda w: (mp.cos(mp.sqrt(w)) - 1 + w / 2) / w**2,
        (0, math.pi**2 / 16),
        lambda w: w**2,
        59,
    ),
    "ARCTAN": (
        trigonometric.ARCTAN,
        lambda w: (mp.atan(mp.sqrt(w)) / mp.sqrt(w) - 1) / w,
        (0, math.tan(math.pi / 8) ** 2),
        lambda w: w * mp.sqrt(w) / mp.atan(mp.sqrt(w)),
        58.5,
    ),
    "ERF": (
        error_function.ERF,
        lambda w: mp.erf(mp.sqrt(w)) / mp.sqrt(w) - 1,
        (0, 1),
        lambda w: mp.sqrt(w) / mp.erf(mp.sqrt(w)),
        56.2,
    ),
    "TAIL": (
        error_function.TAIL,
        lambda q: 5 * mp.exp(_a(q) ** 2 / 2) * mp.erfc(_a(q) / mp.sqrt(2)) / (1 - q),
        (-1, 36 / 46),
        lambda q: (1 - q) / (5 * mp.exp(_a(q) ** 2 / 2) * mp.erfc(_a(q) / mp.sqrt(2))),
        55.3,
    ),
}


def _a(q: mp.mpf) -> mp.mpf:
    return 5 * (1 + q) / (1 - q)


@pytest.mark.parametrize("table", APPROXIMATIONS)
def test_coefficients_are_as_good_as_their_comments_say(table: str) -> None:
    coefficients, function, (low, high), weight, binary_digits = APPROXIMATIONS[table]
    with mp.workdps(60):
        nodes = [low + (high - low) * (1 - mp.cos(mp.pi * (i + 0.5) / 400)) / 2 for i in range(400)]
        values = [sum(mp.mpf(c) * x**i for i, c in enumerate(coefficients)) for x in nodes]
        worst = max(abs(weight(x) * (function(x) - value)) for x, value in zip(nodes, values, strict=True))
        assert worst < mp.mpf(2) ** -binary_digits
        assert worst > mp.mpf(2) ** -(binary_digits + 2)


# -- the same bits wherever an entry stands -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_count_gives_the_same_bits(name: str, dtype: type) -> None:
    """Vector body, scalar remainder and strips of 256 agree, and nothing is written beyond the count."""
    with np.errstate(over="ignore", under="ignore"):
        z = np.random.default_rng(7).permutation(POINTS)[:1100].astype(dtype)
    phi, dphi = run(name, z)
    one = [run(name, z[i : i + 1]) for i in range(0, 1100, 3)]
    np.testing.assert_array_equal(np.concatenate([p for p, _ in one]), phi[::3])
    np.testing.assert_array_equal(np.concatenate([d for _, d in one]), dphi[::3])
    kernel = compiled(BUILTIN[name].family, np.dtype(dtype))
    slope = dict(BUILTIN[name].parameters).get("slope", 0.0)
    for count in (0, 1, 7, 8, 9, 15, 255, 256, 257, 264, 1000):
        a, b = np.full_like(z, 77), np.full_like(z, 77)
        kernel.call(z.ctypes.data, count, slope, a.ctypes.data, b.ctypes.data)
        np.testing.assert_array_equal(a[:count], phi[:count])
        np.testing.assert_array_equal(b[:count], dphi[:count])
        assert (a[count:] == 77).all()
        assert (b[count:] == 77).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_in_place(name: str, dtype: type) -> None:
    with np.errstate(over="ignore", under="ignore"):
        z = POINTS.astype(dtype)
    phi, dphi = run(name, z)
    here, slopes = z.copy(), np.empty_like(z)
    got = phi_and_derivative(name, here, out=(here, slopes))
    assert got[0] is here
    assert got[1] is slopes
    np.testing.assert_array_equal(here, phi)
    np.testing.assert_array_equal(slopes, dphi)


def test_a_large_argument_of_sin_does_not_touch_its_neighbours() -> None:
    z = np.linspace(-9, 9, 256)
    alone = run("sin", z)
    z[100], z[255] = 1e22, -1e5
    phi, dphi = run("sin", z)
    keep = np.delete(np.arange(256), [100, 255])
    np.testing.assert_array_equal(phi[keep], alone[0][keep])
    np.testing.assert_array_equal(dphi[keep], alone[1][keep])
    assert (phi[100], dphi[100]) == (math.sin(1e22), math.cos(1e22))
    assert (phi[255], dphi[255]) == (math.sin(-1e5), math.cos(-1e5))


def test_threads_may_call_at_once() -> None:
    z = np.random.default_rng(1).standard_normal(300_000)  # five pieces
    expected = run("tanh", z)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    workers = [threading.Thread(target=lambda: found.append(phi_and_derivative("tanh", z))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for pair in found:
        np.testing.assert_array_equal(pair, expected)


# -- the interface --------------------------------------------------------------------------------------------------

CUBE = Activation.from_callables("log-cosh", lambda z: np.logaddexp(z, -z) - np.log(2), np.tanh)


def test_addresses() -> None:
    assert kernel_address("leaky_relu:slope=0.3")[1] == 0.3
    assert kernel_address("leaky_relu:slope=0.3")[0] == kernel_address("leaky_relu")[0]
    assert kernel_address("leaky_relu:slope=0.0") == kernel_address("relu")
    assert kernel_address("swish", "float32") == kernel_address(activation("silu"), np.float32)
    assert len({kernel_address(name, dtype)[0] for name in NAMES for dtype in DTYPES}) == 2 * len(NAMES)
    for own in (CUBE, "expr:x*sigmoid(x)"):
        assert kernel_address(own) is None
        assert kernel_address(own, "float32") is None


@pytest.mark.parametrize("dtype", ["float16", "int64", "complex128", ">f8"])
def test_addresses_of_other_dtypes_are_refused(dtype: str) -> None:
    with pytest.raises(InputError, match=r"dtype: got .*; expected float64 or float32"):
        kernel_address("tanh", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_own_activations_fall_back(dtype: type) -> None:
    z = np.linspace(-3, 3, 24).reshape(4, 6).astype(dtype)
    expected = CUBE(z).astype(dtype), CUBE.derivative(z).astype(dtype)
    found = phi_and_derivative(CUBE, z)
    assert found[0].dtype == found[1].dtype == dtype
    np.testing.assert_array_equal(found, expected)
    slopes = np.empty_like(z)
    assert phi_and_derivative(CUBE, z, out=(z, slopes))[0] is z
    np.testing.assert_array_equal((z, slopes), expected)


def test_shapes_and_layouts() -> None:
    z = np.random.default_rng(3).standard_normal((6, 8))
    phi, dphi = phi_and_derivative("softplus", z)
    for found in (phi_and_derivative("softplus", z.T), phi_and_derivative("softplus", np.asfortranarray(z).T)):
        np.testing.assert_array_equal(found, (phi.T, dphi.T))
    np.testing.assert_array_equal(phi_and_derivative("softplus", z[::2, ::3]), (phi[::2, ::3], dphi[::2, ::3]))
    scalar = phi_and_derivative("softplus", float(z[0, 0]))
    assert scalar[0].shape == scalar[1].shape == ()
    assert scalar[0] == phi[0, 0]
    assert phi_and_derivative("softplus", np.empty((0, 3)))[1].shape == (0, 3)
    for integers in ([1, 2], np.array([1, 2], np.uint8), np.array([1, 2], np.longdouble), np.array([1, 2], ">f8")):
        np.testing.assert_array_equal(phi_and_derivative("quadratic", integers), ([0.5, 2.0], [1.0, 2.0]), strict=False)
    assert phi_and_derivative("quadratic", np.array([1, 2], np.float16))[0].dtype == np.float64


def test_overlaps_with_the_argument() -> None:
    z = np.random.default_rng(3).standard_normal(1000)
    phi, dphi = phi_and_derivative("gelu", z)
    shifted = np.concatenate([z, [0.0]])
    slopes = np.empty(1000)
    phi_and_derivative("gelu", shifted[:-1], out=(shifted[1:], slopes))
    np.testing.assert_array_equal((shifted[1:], slopes), (phi, dphi))
    again, values = z.copy(), np.empty(1000)
    phi_and_derivative("gelu", again, out=(values, again))
    np.testing.assert_array_equal((values, again), (phi, dphi))


def _frozen() -> np.ndarray:
    array = np.empty(4)
    array.flags.writeable = False
    return array


BAD = [
    ({"z": [[1.0], [2.0, 3.0]]}, "z: got a ragged"),
    ({"z": ["a"]}, "z: got an array of dtype"),
    ({"z": np.ones(4) * 1j}, "z: got an array of dtype complex128"),
    ({"out": np.empty((2, 4))}, "out: got an array of shape"),
    ({"out": (np.empty(4),)}, "out: got"),
    ({"out": (np.empty(4), np.empty(5))}, r"out: got an array of shape \(5,\)"),
    ({"out": (np.empty(4, np.float32), np.empty(4))}, "dtype float32; expected two C-contiguous, writeable arrays"),
    ({"out": (np.empty(8)[::2], np.empty(4))}, "out: got"),
    ({"out": (_frozen(), np.empty(4))}, "out: got"),
    ({"out": (lambda a: (a, a))(np.empty(4))}, "out: got arrays that overlap"),
    ({"activation": "rellu"}, "did you mean 'relu'"),
]


@pytest.mark.parametrize("change, message", BAD)
def test_bad_arguments(change: dict, message: str) -> None:
    arguments = {"activation": "tanh", "z": np.zeros(4), "out": None} | change
    with pytest.raises(InputError, match=message):
        phi_and_derivative(arguments["activation"], arguments["z"], out=arguments["out"])


# -- compilation ----------------------------------------------------------------------------------------------------


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_what_is_asked_for_is_compiled_and_it_is_kept(tmp_path: Path) -> None:
    code = (
        "import numpy as np\n"
        "from jacspec.elementwise import compiled, kernel_address\n"
        "assert not compiled._kernels\n"
        "kernel_address('sigmoid')\n"
        "assert list(compiled._kernels) == [('sigmoid', 'float64')]\n"
        "print(compiled.compiled('sigmoid', np.dtype('float64')).owner.cache_hits)\n"
    )
    assert [python(code, NUMBA_CACHE_DIR=str(tmp_path)).strip() for _ in range(2)] == ["0", "1"]


def test_an_edit_anywhere_in_the_room_invalidates_the_cache(tmp_path: Path) -> None:
    code = (
        "import numpy as np\n"
        "from jacspec.elementwise import compiled\n"
        "compiled._fingerprint = lambda: '{}'\n"
        "print(compiled.compiled('relu', np.dtype('float64')).owner.cache_hits)\n"
    )
    hits = [python(code.format(text), NUMBA_CACHE_DIR=str(tmp_path)).strip() for text in ("old", "new", "new")]
    assert hits == ["0", "0", "1"]


def test_a_processor_without_fused_multiply_add_is_as_accurate(tmp_path: Path) -> None:
    """And its loops are vector code too: a call that was not inlined, say, would have left them scalar."""
    np.save(tmp_path / "z.npy", POINTS)
    code = (
        "import sys, numpy as np\n"
        "from jacspec.elementwise.compiled import FAMILIES, compiled\n"
        f"folder = {str(tmp_path)!r}\n"
        "z = np.load(folder + '/z.npy')\n"
        "for family in FAMILIES:\n"
        "    kernel, phi, dphi = compiled(family, z.dtype), np.empty_like(z), np.empty_like(z)\n"
        "    kernel.call(z.ctypes.data, z.size, 0.01, phi.ctypes.data, dphi.ctypes.data)\n"
        "    np.save(f'{folder}/{family}.npy', [phi, dphi])\n"
        "    print(family, kernel.owner._library.get_llvm_str().count('store <2 x '))\n"
    )
    lines = python(code, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="").splitlines()
    assert [line.split()[0] for line in lines] == list(FAMILIES)
    for line in lines:
        family, vector_stores = line.split()
        assert int(vector_stores) >= 2, f"{family} is not vectorised"  # phi and phi'
        assert_accurate(family, *np.load(tmp_path / f"{family}.npy"))
