"""Specs drawn by Hypothesis: the same seed gives the same specs, in whatever process and beside whatever modules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["draw_specs"]

_lock = threading.RLock()


def draw_specs(
    specs: SearchStrategy[Any], visit: Callable[[Any], None], *, seed: int, examples: int, shrink: bool
) -> None:
    """Call `visit` with up to `examples` specs; with `shrink`, what it raises is raised for the smallest spec found.

    Parameters
    ----------
    specs : strategy
    visit : callable
        May raise to say that a spec is what one looks for.
    seed : int
    examples : int
    shrink : bool
    """
    from hypothesis import HealthCheck, Phase, Verbosity, given, settings
    from hypothesis import seed as with_seed

    @with_seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
    )
    @given(specs)
    def attack(spec: Any) -> None:
        visit(spec)

    with _no_mined_constants():
        attack()


@contextmanager
def _no_mined_constants() -> Iterator[None]:
    """Hypothesis also tries constants that it finds in the source of every loaded module outside site-packages.

    So what it draws would depend on which modules the process has loaded, and differ between one worker and two, or
    between a checkout and an installed package. Versions without that need nothing.
    """
    from hypothesis.internal.conjecture import providers

    place: Any = providers
    if not (hasattr(place, "_get_local_constants") and hasattr(place, "CONSTANTS_CACHE")):
        yield
        return
    with _lock:
        mined, nothing = place._get_local_constants, place.Constants()
        place._get_local_constants = lambda: nothing
        place.CONSTANTS_CACHE.cache.clear()  # it holds choices among mined constants
        try:
            yield
        finally:
            place._get_local_constants = mined
            place.CONSTANTS_CACHE.cache.clear()
