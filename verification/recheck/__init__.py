"""The sceptic's room: a certificate checked again, in ball arithmetic, from its file alone.

Nothing here imports jacspec, and nothing is shared with the producer of certificates but the format of the file: phi,
phi', the constants B1 and B2, the linear algebra and the inequalities are written anew on python-flint. numpy only
reads arrays out of the file.
"""

from __future__ import annotations

from .check import Finding, recheck
from .reading import Claimed, Rejected, read

__all__ = ["Claimed", "Finding", "Rejected", "read", "recheck"]
