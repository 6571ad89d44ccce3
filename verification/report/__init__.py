"""One self-contained HTML file from what a run stored: no script, no link that must be followed, no date.

Of claims it is a function of the document ``jacspec.verify/1`` alone, so that the file that `jacspec verify --json`
wrote gives the same bytes as ``jacspec verify --html`` did, and nobody's claims are run to read it. What else was
stored comes as sections: the command line makes them of what its commands print.
"""

from .page import render
from .sections import Drawing, Listing, Paragraph, Section

__all__ = ["Drawing", "Listing", "Paragraph", "Section", "render"]
