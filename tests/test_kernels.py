"""Compiled kernels against their naive twins, and the policy that runs them."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading

import naive
import numpy as np
import pytest
import tolerance
from threadpoolctl import threadpool_info, threadpool_limits

from jacspec import _jit, _kernels
from jacspec._jit import blocks, run_blocks, run_tasks
from jacspec.rounding import UNIT_ROUNDOFF, gamma

SHAPES = [(1, 1, 1), (2, 1, 5), (2, 5, 1), (17, 3, 8), (30, 31, 33)]


def frozen(A):
    A = np.ascontiguousarray(A)
    A.flags.writeable = False
    return A


@pytest.mark.parametrize("n, k, d", SHAPES)
def test_khatri_rao_rows(n, k, d):
    rng = np.random.default_rng([n, k, d])
    A, B, out = rng.standard_normal((n, k)), rng.standard_normal((n, d)), np.full((n, k * d), np.nan)
    _kernels.khatri_rao_rows(frozen(A), frozen(B), out)
    np.testing.assert_array_equal(out, naive.khatri_rao(A, B))


@pytest.mark.parametrize("n, d", [(1, 1), (3, 1), (1, 2), (8, 5), (20, 33)])
def test_compress_square(n, d):
    X = np.random.default_rng([n, d]).standard_normal((n, d))
    out = np.full((n, d * (d + 1) // 2), np.nan)
    _kernels.compress_square(frozen(X), out)
    tolerance.assert_within(out, naive.compressed_square(X), 2 * gamma(3) * np.abs(out))


@pytest.mark.parametrize("m", [1, 255, 256, 257, 600])  # the strips are 256 wide
@pytest.mark.parametrize("terms, shift", [(1, 0), (1, 1), (2, 0), (5, 1), (9, 3)])
def test_power_series(m, terms, shift):
    rng = np.random.default_rng([m, terms, shift])
    R, c, out = rng.uniform(-1, 1, (3, m)), rng.standard_normal(terms), np.full((3, m), np.nan)
    _kernels.power_series(frozen(R), frozen(c), shift, out)
    magnitude = naive.power_series(np.abs(R), np.abs(c), shift)
    tolerance.assert_within(out, naive.power_series(R, c, shift), 2 * gamma(2 * (terms + shift) + 6) * magnitude)


def test_angles_by_arccos_and_by_norms():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((9, 4))
    X[1] = X[0] + 1e-9 * X[1]
    X[2] = -X[0] + 1e-6 * X[2]
    X[3] = X[0]
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    offset, near = 2, 0.9
    R = np.clip(X[offset:] @ X.T, -1, 1)
    theta, error = np.empty_like(R), np.empty_like(R)
    _kernels.angles(frozen(X), frozen(R), offset, near, theta, error)
    expected = np.array([[naive.angle(x, y) for y in X] for x in X[offset:]])
    by_norms = np.abs(R) > near
    assert by_norms.any()
    assert (~by_norms).any()
    assert np.all(error[by_norms] == 0)
    tolerance.assert_within(error[~by_norms], 1 / np.sin(expected[~by_norms]), 1e3 * UNIT_ROUNDOFF)
    # Rows are unit up to gamma_d, which the angle feels through ||x - y|| and ||x + y||; arccos through 1/sin.
    bound = gamma(64) * (1 + expected) + error * gamma(16)
    tolerance.assert_within(theta, expected, bound)


@pytest.mark.parametrize("n, size", [(0, 3), (1, 3), (3, 3), (7, 3), (9, 3), (5, 100)])
def test_blocks_cover_once_in_order(n, size):
    parts = list(blocks(n, size))
    assert [i for start, stop in parts for i in range(start, stop)] == list(range(n))
    assert all(0 < stop - start <= size for start, stop in parts)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_run_blocks_covers_everything_on_any_number_of_threads(monkeypatch, count):
    monkeypatch.setattr(_jit, "threads", lambda: count)
    seen = np.zeros(103, dtype=int)

    def work(start, stop):
        seen[start:stop] += 1

    run_blocks(work, 103, 10)
    assert np.all(seen == 1)
    run_tasks([])


def test_two_threads_do_run_side_by_side(monkeypatch):
    monkeypatch.setattr(_jit, "threads", lambda: 2)
    meeting = threading.Barrier(2, timeout=30)
    run_tasks([meeting.wait, meeting.wait])  # would break the barrier if one waited for the other to end


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_first_failure_in_order_is_raised_and_the_rest_dropped(monkeypatch, count):
    monkeypatch.setattr(_jit, "threads", lambda: count)
    done, alive = [], threading.active_count()

    def work(start, stop):
        if start in (3, 4, 5):
            raise ArithmeticError(f"block {start}")
        done.append(start)

    with pytest.raises(ArithmeticError, match=r"^block 3$"):
        run_blocks(work, 10_000, 1)
    assert {0, 1, 2} <= set(done)
    assert len(done) < 10_000
    assert threading.active_count() == alive


@pytest.mark.parametrize("count", [1, 2])
def test_errstate_of_the_caller_holds_in_every_block(monkeypatch, count):
    monkeypatch.setattr(_jit, "threads", lambda: count)
    huge = np.full(4, 1e300)

    def work(start, stop):
        huge[start:stop] * 1e300

    with np.errstate(over="ignore"):
        run_blocks(work, 4, 1)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        run_blocks(work, 4, 1)


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_blas_is_serial_inside_and_restored_outside():
    inside = []
    with threadpool_limits(2, user_api="blas"):
        run_blocks(lambda a, b: inside.append(blas_threads()), 3, 1)
        assert blas_threads() == {2}

        def nested(start, stop):
            run_blocks(lambda a, b: None, 2, 1)
            inside.append(blas_threads())

        run_blocks(nested, 3, 1)
        assert blas_threads() == {2}
        with pytest.raises(ZeroDivisionError):
            run_blocks(lambda a, b: 1 // 0, 3, 1)
        assert blas_threads() == {2}
    assert all(counts == {1} for counts in inside)
    assert len(inside) == 6


def test_blas_setting_survives_two_callers_at_once():
    def caller():
        for _ in range(50):
            run_blocks(lambda a, b: None, 2, 1)

    with threadpool_limits(2, user_api="blas"):
        callers = [threading.Thread(target=caller) for _ in range(4)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join()
        assert blas_threads() == {2}


def test_blas_that_is_loaded_late_is_serial_too() -> None:
    """SciPy brings a BLAS of its own, which claims load when they first need it."""
    script = (
        "from threadpoolctl import threadpool_info\n"
        "from jacspec._jit import serial_blas\n"
        "with serial_blas:\n"
        "    import scipy.linalg\n"
        "    print(sorted(i['num_threads'] for i in threadpool_info() if i['user_api'] == 'blas'))\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert set(ast.literal_eval(done.stdout)) == {1}


def test_threads_is_the_affinity(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 3, 5}, raising=False)
    assert _jit.threads() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert _jit.threads() == 1
