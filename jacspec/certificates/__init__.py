"""Certificates: from "the loss looked small" to a proof that zero loss is attained near the weights just computed.

- `certify`: the verdict at given weights, with its numbers; a value that is saved as one file.
- `gauss_newton_polish`: better weights nearby, where a run is near but not near enough.
- `stop_when_certified`: a stopping rule for `jacspec.train`.

`verification.recheck` (``jacspec certify --check``) proves a saved certificate again by other means.
"""

from .certificate import Certificate, Verdict
from .certify import certify
from .polish import gauss_newton_polish
from .stopping import StopWhenCertified, stop_when_certified

__all__ = ["Certificate", "StopWhenCertified", "Verdict", "certify", "gauss_newton_polish", "stop_when_certified"]
