"""One self-contained HTML file from what a run stored: no script, no link that must be followed, no date.

A report is a function of the document ``jacspec.verify/1`` alone, so that the file that `jacspec verify --json` wrote
gives the same bytes as ``jacspec verify --html`` did, and nobody's claims are run to read it.
"""

from .page import render

__all__ = ["render"]
