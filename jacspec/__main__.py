"""`python -m jacspec`: the `jacspec` command where its script is not on the path.

It looks the command up as installed, because jacspec itself does not know of a package that lies above it.
"""

import sys
from importlib.metadata import entry_points

for command in entry_points(group="console_scripts", name="jacspec"):
    sys.exit(command.load()())
sys.exit("jacspec: error: the command is not installed (python -m pip install jacspec)")
