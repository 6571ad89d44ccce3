"""`python -m verification.cli`: the `jacspec` command where its script is not on the path."""

from . import run

run()
