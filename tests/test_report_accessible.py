"""What a report owes to readers who see little, see no colour, use no mouse, or hold a telephone or paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from test_report import DOT, Page, document, variant, whole

from verification.report import Drawing, Listing, Paragraph, Section, render
from verification.report.page import VERDICTS

CSS = (Path(__file__).resolve().parent.parent / "verification/report/templates/style.css").read_text(encoding="utf-8")
#: Words need 4.5 to 1 against what is behind them, marks 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11).
WORDS, MARKS = ("ink", "soft", "good", "bad", "open", "link"), ("bar",)


def palettes() -> dict[str, dict[str, str]]:
    """Colours by name, of each :root block of the style sheet."""
    found = [dict(re.findall(r"--(\w+): *(#\w+)", block)) for block in re.findall(r":root *\{([^}]*)\}", CSS)]
    return dict(zip(("light", "dark", "print"), found, strict=True))


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def page_of_everything() -> str:
    slacks = {"edges": [1.0, 10.0, 100.0], "counts": [3, 1], "infinite": 0, "nonpositive": 0}
    long = r"\|J(W') - J(W)\| \le B_2 \|v\|_\infty \|X\| \|W' - W\|_F"
    found = document(*(variant(f"form {word}", word, slacks=slacks) for word in VERDICTS))
    found["claims"][0]["mutants"] = [{"name": "x" * 30, "why": f"{long}, without a factor", "refuted": False}]
    about = {"statement": long, "source": "here", "domain": "rows", "assumptions": [], "variants": [], "proof": "So."}
    found["statements"] = {"my-bound": about}
    rows = (("name " * 3, "1.2345678901234567e-12", "8e-13", "words that say how it was computed " * 3),)
    listing = Listing(("a", "b", "c", "d"), rows, (False, True, True, False))
    return render(found, [Section("More", (Paragraph("Words."), listing, Drawing(DOT, "A dot.")))])


def test_colours_have_the_contrast_that_words_and_marks_need() -> None:
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777", "#fff") < 4.5  # the nearest grey that is too pale
    for name, palette in palettes().items():
        for ground in ("paper", "tint"):
            for word in WORDS:
                assert contrast(palette[word], palette[ground]) >= 4.5, (name, word, ground)
            for mark in MARKS:
                assert contrast(palette[mark], palette[ground]) >= 3, (name, mark, ground)
    assert not re.findall(r"[^-]color: *#", re.sub(r":root *\{[^}]*\}", "", CSS))  # words have no colours but these


def test_a_page_can_be_walked_through_by_keyboard_and_by_ear() -> None:
    page = whole(page_of_everything())
    given = page.attributes
    assert dict(next(a for tag, a in given if tag == "meta" and a.get("name") == "viewport"))["content"]
    skip = next(a for tag, a in given if tag == "a")
    assert skip["class"] == "skip"
    tags = [tag for tag, _ in given]
    assert tags.count("main") == tags.count("header") == 1
    assert [tags[i + 1] for i, tag in enumerate(tags) if tag == "details"] == ["summary"]
    assert [a.get("scope") for tag, a in given if tag == "th"].count(None) == 0
    tables = [i for i, tag in enumerate(tags) if tag == "table"]
    assert all("caption" in tags[i + 1 : i + 2] or given[i - 1][1].get("aria-label") for i in tables)
    for tag, attributes in given:
        assert tag != "img" or attributes.get("alt")
        if attributes.get("class") in ("scroll", "statement", "plot"):  # what scrolls sideways can be reached
            assert attributes.get("tabindex") == "0"
            assert tag == "figure" or attributes.get("aria-label")
        assert int(attributes.get("tabindex") or 0) == 0


def test_what_fails_comes_first_with_a_link() -> None:
    page = whole(page_of_everything())
    said = page.text.partition("Results")[2].partition("Forms by verdict")[0]
    for words in ("form VIOLATED is VIOLATED", "form REFUTED is REFUTED", f"false neighbour {'x' * 30} survives"):
        assert f"my-bound{',' if 'is' in words else ':'}" in said
        assert words in said
    assert "HOLDS" not in said
    assert Page(render(document(variant()))).text.partition("Results")[2].lstrip().startswith("Forms by verdict")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize(("width", "scheme"), [(1280, 0), (390, 1), (390, 0)])
def test_a_browser_shows_it_without_scrolling_sideways(width: int, scheme: int, tmp_path: Path) -> None:
    """On a desk and on a telephone (as an inner frame: a window is never so narrow), and formulas have a size."""
    probe = """<script>onload = () => {
      const math = [...document.querySelectorAll('math')].map(e => e.getBoundingClientRect().height);
      parent.postMessage({inner: innerWidth, wide: document.documentElement.scrollWidth, math: Math.min(...math),
        ground: getComputedStyle(document.body).backgroundColor}, '*'); }</script>"""
    (tmp_path / "page.html").write_text(page_of_everything().replace("</body>", f"{probe}</body>"), encoding="utf-8")
    frame = f"""<!DOCTYPE html><title>frame</title><body><script>onmessage = m => {{
      document.body.textContent = JSON.stringify(m.data); }}</script>
      <iframe src="page.html" style="border:0;width:{width}px;height:900px"></iframe>"""
    (tmp_path / "frame.html").write_text(frame, encoding="utf-8")
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1600,1000", "--virtual-time-budget=5000"]
    words += [f"--blink-settings=preferredColorScheme={scheme}", "--dump-dom", (tmp_path / "frame.html").as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    told = re.search(r"<body>(\{.*\})", done.stdout)
    assert told is not None, done.stdout
    seen = json.loads(told[1])
    assert seen["inner"] == width
    assert seen["wide"] <= width
    assert seen["math"] > 5
    paper = palettes()[("dark", "light")[scheme]]["paper"].lstrip("#")
    paper = "".join(2 * d for d in paper) if len(paper) == 3 else paper
    assert seen["ground"] == f"rgb({', '.join(str(int(paper[i : i + 2], 16)) for i in (0, 2, 4))})"
