"""Hermite coefficients leave flint's global state alone."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from families import MOMENTS
from flint import arb, ctx

from jacspec.activations import BUILTIN, balls
from jacspec.hermite import (
    ball,
    hermite_enclosures,
    hermite_expansion,
    moment_enclosure,
)

pytestmark = pytest.mark.usefixtures("flint_context_is_left_alone")


def test_context_comes_back() -> None:
    for bits, cap in ((53, 10), (77, 5), (1000, 3)):
        saved = ctx.prec, ctx.cap
        ctx.prec, ctx.cap = bits, cap
        try:
            for name in ("gelu", "tanh"):
                for method in ("auto", "integral"):
                    found = hermite_enclosures(BUILTIN[name], 7, digits=25, method=method)
                    assert max(float(m.rad()) for m in found) <= 1e-25
                    assert (ctx.prec, ctx.cap) == (bits, cap)
            hermite_expansion.__wrapped__(BUILTIN["gelu"])
            hermite_expansion.__wrapped__(BUILTIN["sigmoid"])
            for which in MOMENTS:
                moment_enclosure(BUILTIN["softplus"], which)
            assert (ctx.prec, ctx.cap) == (bits, cap)
        finally:
            ctx.prec, ctx.cap = saved


def test_context_comes_back_after_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ctx.prec, ctx.cap

    def fail(t: Any) -> Any:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        balls._capped(fail)(50)
    assert (ctx.prec, ctx.cap) == before
    with pytest.raises(RuntimeError), ball.precision(999):
        fail(ctx.prec == 999)
    assert (ctx.prec, ctx.cap) == before
    monkeypatch.setattr(ball, "_table", fail)
    for call in (
        lambda: ball.trapezoid_mean(fail, arb(1), arb(1), lambda x: x, 100),
        lambda: ball._integrate(BUILTIN["tanh"].ball.pieces, fail, arb(3)),
    ):
        with pytest.raises((RuntimeError, TypeError)):
            call()
        assert (ctx.prec, ctx.cap) == before
    with pytest.raises((RuntimeError, TypeError)):
        hermite_enclosures(BUILTIN["tanh"], 5, digits=33)
    assert (ctx.prec, ctx.cap) == before


def test_a_truncated_series_is_not_a_list_of_zeros() -> None:
    """A cap that someone lowers on the way loses terms; they must not come back as exact zeros."""

    def meddle(t: Any) -> Any:
        ctx.cap = 4
        return (t + 0).exp()

    with pytest.raises(ArithmeticError, match="4 terms"):
        balls._capped(meddle)(20)


def test_threads() -> None:
    """flint.ctx is shared by all threads: precision and cap of one must not leak into another."""
    jobs = [("gelu", 150, 25), ("elu", 8, 120), ("sin", 60, 60), ("tanh", 12, 30), ("erf", 5, 200), ("relu", 90, 20)]
    expected = {job: hermite_enclosures(BUILTIN[job[0]], job[1], digits=job[2] + 5) for job in jobs}
    problems: list[str] = []
    barrier = threading.Barrier(len(jobs))

    def run(job: tuple[str, int, int]) -> None:
        name, count, digits = job
        barrier.wait()
        for _ in range(12):
            try:
                found = hermite_enclosures(BUILTIN[name], count, digits=digits)
                moment_enclosure(BUILTIN[name], "variance", digits=digits)
            except Exception as error:
                problems.append(f"{job}: {error}")
                return
            if not all(a.overlaps(b) for a, b in zip(found, expected[job], strict=True)):
                problems.append(f"{job}: a wrong enclosure")
            if sum(a.is_zero() for a in found) != sum(a.is_zero() for a in expected[job]):
                problems.append(f"{job}: zeros that are none")

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
