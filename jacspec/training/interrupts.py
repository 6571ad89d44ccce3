"""Ctrl-C during a training: noted, acted upon between two steps, so that nothing is lost or half done."""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["Interrupts"]


class Interrupts:
    """``with Interrupts() as interrupts:`` the first Ctrl-C only sets ``interrupts.seen``; a second one is an ordinary
    one.

    Outside the main thread, where Python handles no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.seen = False
        self._before: object = None
        self._active = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.seen:
            raise KeyboardInterrupt
        self.seen = True

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            # Where the program ignores or handles Ctrl-C in a way of its own, it stays so.
            self._active = self._before is signal.default_int_handler
            if self._active:
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._active:
            signal.signal(signal.SIGINT, signal.default_int_handler)
