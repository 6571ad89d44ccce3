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
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"
templates_path = ["_templates"]
exclude_patterns = ["_build", "api/*.md", "gallery/*"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
html_show_sourcelink = False
html_title = "jacspec"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["jacspec.css"]

# The scripts of gallery/ run at every build: one that fails, fails it. Times are left out, so that equal sources give
# equal pages.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery_figures.TheoryOrder",
    "image_scrapers": ("gallery_figures.figures",),
    "reset_modules": ("matplotlib", "gallery_figures.style"),
    "abort_on_example_error": True,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "download_all_examples": False,
    "show_signature": False,
    "plot_gallery": True,
    "capture_repr": (),
}
