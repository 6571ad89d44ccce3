"""The page about strategies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_the_page_shows_what_happens():
    page = (Path(__file__).parent.parent / "docs" / "strategies.md").read_text(encoding="utf-8")
    names = {"__name__": "page"}
    for source in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(compile(source, "docs/strategies.md", "exec"), names)
    shown = "".join(re.findall(r"```text\n(.*?)```", page, re.S)).split()
    tests = {name: test for name, test in names.items() if name.startswith("test_")}
    assert len(tests) == 4
    for name, test in tests.items():
        if f"{name}(" not in shown:
            test()
            continue
        with pytest.raises(AssertionError) as caught:
            test()
        example = "\n".join(caught.value.__notes__).split("X=")[1].split("]]")[0]
        assert "X=" + "".join(example.split()) in "".join(word for word in shown if word != "E")
