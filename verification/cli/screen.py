"""What commands print to: a console that never crops."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

__all__ = ["Screen"]

#: Letters of a word beyond which it may be folded rather than widen a table.
_WORD = 12


class Screen(Console):
    """A console that widens for a table: rich would crop numbers to fit, and a cropped number is a wrong one."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As any console, but a table that does not fit runs over the edge."""
        usual = self.width
        self.width = max([usual, *(self._needed(found) for found in objects if isinstance(found, Table))])
        try:
            super().print(*objects, **options)
        finally:
            self.width = usual

    def _needed(self, found: Table) -> int:
        """The width at which no number and no name is cropped; words may wrap."""
        total = 1 + len(found.columns) * (1 + found.padding[1] + found.padding[3])
        for column in found.columns:
            cells = [*column.cells, column.header] if found.show_header else list(column.cells)
            sizes = [Measurement.get(self, self.options, cell) for cell in cells]
            total += max((s.maximum if column.no_wrap else min(s.minimum, _WORD) for s in sizes), default=0)
        return total
