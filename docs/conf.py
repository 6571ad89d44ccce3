"""Sphinx configuration: pages in MyST, API from numpydoc docstrings; built with warnings as errors."""

from __future__ import annotations

import sys
from pathlib import Path

import jacspec

sys.path.insert(0, str(Path(__file__).resolve().parent / "_ext"))

project = "jacspec"
author = "The jacspec developers"
copyright = "2026, the jacspec developers"
version = release = jacspec.__version__

extensions = [
    "claim_directive",
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"
templates_path = ["_templates"]
exclude_patterns = ["_build", "api/*.md"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_title = "jacspec"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["jacspec.css"]
