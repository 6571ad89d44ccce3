"""Reports: one file that is whole, says what was found and what was not, and that no input can break out of."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_plots import TRENDS

import jacspec
from jacspec import InputError
from verification.claims import SLUGS, load
from verification.cli import main
from verification.report import Drawing, Listing, Paragraph, Section, render
from verification.report.formulas import markup, mathml, pieces, segments
from verification.report.page import VERDICTS
from verification.verify.report import Histogram

DOT = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g id="a"/></svg>'
VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Fails on tags that do not nest; keeps ids, links, headings and text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.headings: list[int] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert len(given) == len(attrs), "an attribute twice"
        self.attributes.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.targets += [str(given[name]) for name in ("href", "src") if name in given]
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def variant(name: str = "paper", verdict: str = "HOLDS", **more: Any) -> dict[str, Any]:
    found = {"name": name, "verdict": verdict, "instances": 9, "decided": 7, "vacuous": 1, "min_slack": 1.5}
    found |= {"median_slack": "inf", "witness": {"n": 3, "rows": "sphere"}, "left": 1.0, "right": 1.5, "reason": None}
    return {**found, "failures": 0, "claimed_failure": None, "reproduce": None, **more}


def document(*variants: dict[str, Any], **more: Any) -> dict[str, Any]:
    claim = {"id": "my-bound", "title": "Mine", "kind": "upper bound", "variants": list(variants), "seconds": 1.0}
    return {"schema": "jacspec.verify/1", "seed": 7, "alpha": 0.01, "examples": 9, "claims": [claim], **more}


# -- formulas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", SLUGS)
def test_every_text_of_a_claim_is_rendered(slug: str) -> None:
    """All of a statement's LaTeX becomes MathML, and the cut into segments loses no letter."""
    claim = load(slug)
    texts = [v.statement for v in claim.variants] + [m.why for m in claim.mutants]
    texts += [*(a.text for a in claim.assumptions), claim.proof, claim.title, claim.source]
    for shown in [markup(claim.statement, display=True), *map(markup, texts)]:
        assert "<code>" not in shown
        assert "\\" not in Page(shown).text
    for text in [claim.statement, *(piece for t in texts for is_formula, piece in pieces(t) if is_formula)]:
        assert re.sub(r"\s", "", "".join(segments(text))) == re.sub(r"\s", "", text)
    assert "<math" in markup(claim.statement, display=True)


@pytest.mark.parametrize(
    "latex", [r"\href{javascript:alert(1)}{x}", r"\frac{", r"\notacommand{x}", r"\class{a}{x}", r"\style{a}{x}"]
)
def test_latex_that_is_not_understood_is_shown_as_typed(latex: str) -> None:
    assert mathml(latex) is None or "javascript" not in str(mathml(latex))
    shown = markup(latex)
    assert "href" not in re.sub(r"<code>.*?</code>", "", shown)
    Page(shown)


def test_markup_in_latex_is_text() -> None:
    shown = markup(r"\text{<script>alert(1)</script>} \le 1 by <b>words</b>")
    assert "<script" not in shown
    assert "<b>" not in shown


# -- histograms -----------------------------------------------------------------------------------------------------


def test_a_histogram_counts_every_slack_once() -> None:
    slacks = [1.0, 1.0, 2.0, 50.0, 1e6, float("inf"), 0.0, -3.0]
    found = Histogram.of(slacks)
    assert found is not None
    assert sum(found.counts) + found.infinite + found.nonpositive == len(slacks)
    assert (found.edges[0], found.edges[-1]) == pytest.approx((1.0, 1e6))
    assert (found.counts[0], found.counts[-1]) == (2, 1)
    assert len(found.edges) == len(found.counts) + 1


def test_a_histogram_of_equal_slacks_and_of_none() -> None:
    same = Histogram.of([2.0, 2.0])
    assert same is not None
    assert same.counts == (2,)
    only = Histogram.of([float("inf")])
    assert only is not None
    assert (only.counts, only.infinite) == ((), 1)
    assert Histogram.of([]) is None


# -- pages ----------------------------------------------------------------------------------------------------------


def whole(content: str) -> Page:
    """The page, which needs nothing else and can be walked through without seeing it."""
    page = Page(content)
    assert content.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert len(set(page.ids)) == len(page.ids)
    for target in page.targets:  # nothing is fetched, and every link leads somewhere in the file
        if target.startswith("data:image/png;base64,"):  # a scale of colours
            continue
        assert target.startswith("#")
        assert target[1:] in page.ids
    assert page.headings[0] == 1
    assert all(b <= a + 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    tags = [tag for tag, _ in page.attributes]
    assert "script" not in tags
    for tag, given in page.attributes:
        assert tag != "th" or given.get("scope") in ("row", "col")
        assert tag != "svg" or (given.get("role") == "img" and (given.get("aria-label") or "aria-labelledby" in given))
        assert given.get("aria-labelledby", page.ids[0]) in page.ids
    for local in re.findall(r"url\(([^)]*)\)", content):  # a clip path, a hatch
        assert local[:1] == "#"
        assert local[1:] in page.ids
    assert "@import" not in content
    return page


def test_a_page_of_every_verdict_is_whole_and_accessible() -> None:
    slacks = {"edges": [1.0, 10.0, 100.0], "counts": [3, 1], "infinite": 2, "nonpositive": 0}
    variants = [variant(f"form {word}", word, slacks=slacks) for word in VERDICTS]
    variants[0] |= {"reproduce": "jacspec verify my-bound --instance 'n=3,rows=sphere'"}
    content = render(document(*variants))
    page = whole(content)
    assert [tag for tag, _ in page.attributes].count("svg") == len(VERDICTS)
    for word, (sign, meaning) in VERDICTS.items():  # a word and a sign, never colour alone
        assert f"{sign} {word}" in page.text
        assert meaning in page.text
    assert "Reproduce: jacspec verify my-bound --instance 'n=3,rows=sphere'" in page.text
    assert "2 more: infinite" in page.text


def test_trends_come_with_their_figure_and_without_it_where_a_document_is_older() -> None:
    told = [json.loads(json.dumps(t.to_json())) for t in TRENDS]
    forms = [variant(f"law {i}", "MEASURED", trend=found) for i, found in enumerate(told)]
    content = render(document(*forms))
    page = whole(content)
    assert [tag for tag, _ in page.attributes].count("svg") == 1
    assert page.text.count("law 3") >= 3  # the table, the figure and the form
    assert f"measured {told[0]['measured']:.4g}, interval {TRENDS[0].fit.interval(4)} of level" in page.text
    assert content == render(document(*forms))
    del told[0]["halves"]
    assert "svg" not in [tag for tag, _ in whole(render(document(*forms))).attributes]


def test_sections_follow_the_claims_with_versions_of_their_own() -> None:
    evil = "<script>alert('x')</script>"
    blocks = (Paragraph(evil), Listing((evil, "b"), (("c", evil),), (False, True)), Drawing(DOT, evil))
    page = whole(render(document(variant(), versions={"jacspec": "0.0.7"}), [Section(evil, blocks)]))
    assert page.text.count(evil) == 6  # contents, heading, paragraph, two cells and the title of the drawing
    assert {"#results", "#section-1"} <= set(page.targets)
    assert "jacspec 0.0.7" in page.text
    assert f"computed with jacspec {jacspec.__version__}" in page.text


def test_what_users_name_is_escaped() -> None:
    evil = "<script>alert('x')</script>\"'"
    found = document(variant(evil, reason=evil, witness={"rows": evil}), data=evil, error=evil)
    found["dataset"] = {"source": evil, "n": 3, "d": 2, "sha256": evil}
    found["claims"][0] |= {"title": evil, "id": evil, "file": evil}
    found["claims"][0]["mutants"] = [{"name": evil, "why": evil, "refuted": False}]
    found["statements"] = {
        evil: {"statement": evil, "source": evil, "domain": evil, "assumptions": [evil], "variants": [], "proof": evil}
    }
    page = Page(render(found))
    assert "script" not in [tag for tag, _ in page.attributes]
    assert page.text.count("<script>") >= 8


def test_a_run_that_did_not_end_says_so() -> None:
    assert "interrupted after 1 of 5 claims" in Page(render(document(variant(), interrupted=True, wanted=5))).text
    assert "broke off after 1 of 5 claims: no" in Page(render(document(variant(), error="no", wanted=5))).text
    assert "after 1 of" not in Page(render(document(variant(), wanted=1))).text


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"jacspec\.verify/1"):
        render({"schema": "jacspec.constants/1"})


# -- the command line -----------------------------------------------------------------------------------------------


def test_verify_writes_the_report_that_its_json_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["verify", "schur-bounds", "--examples", "5", "--jobs", "1", "--mutants"]
    first, second, stored = (str(tmp_path / name) for name in ("first.html", "second.html", "verify.json"))
    assert main([*run, "--html", first, "--json", "--output", stored]) == 0
    assert main(["report", "--verify", stored, "--output", second]) == 0
    assert capsys.readouterr().out == f"Report in {second}.\n"
    content = Path(first).read_bytes()
    assert content == Path(second).read_bytes()
    page = Page(content.decode())
    assert "Schur" in page.text
    assert "max-for-min" in page.text
    assert [tag for tag, _ in page.attributes].count("svg") == 2
    # The time that it took is in the JSON, and not in the report: the same run gives the same bytes.
    assert main([*run, "--html", second, "--quiet"]) == 0
    assert content == Path(second).read_bytes()


def test_an_interrupted_run_writes_what_it_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import verification.verify as running

    whole = running.verify

    def until_interrupted(*arguments: Any, **keywords: Any) -> Any:
        yield next(iter(whole(*arguments, **keywords)))
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "verify", until_interrupted)
    path = tmp_path / "report.html"
    words = ["verify", "schur-bounds", "khatri-rao-gram", "--examples", "2", "--jobs", "1", "--html", str(path)]
    assert main(words) == 130
    assert "interrupted after 1 of 2" in Page(path.read_text(encoding="utf-8")).text
    assert "schur-bounds" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", "schur-bounds", "--examples", "2", "--jobs", "1", "--html"]
    assert main([*words, str(tmp_path / "no" / "r.html")]) == 2  # before any work
    said = capsys.readouterr()
    assert said.out == ""
    assert "--html" in said.err
    folder = tmp_path / "gone"
    folder.mkdir()
    import verification.report as room

    def fails(found: Any) -> str:
        raise OSError("No space left on device")

    monkeypatch.setattr(room, "render", fails)
    assert main([*words, str(folder / "r.html")]) == 2  # after the work
    said = capsys.readouterr()
    assert "schur-bounds" in said.out
    assert "No space left" in said.err
    assert os.listdir(folder) == []


def test_a_run_is_shown_as_train_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved, first, second = (str(tmp_path / name) for name in ("<b>run.npz", "first.html", "second.html"))
    words = ["train", "sphere:n=6,d=4", "--width", "8", "--steps", "50", "--checkpoints", "2", "--save", saved]
    assert main([*words, "--no-color"]) == 0
    shown = capsys.readouterr().out
    words = ["report", "--run", saved, "--run", saved, "--quiet", "--output"]  # two figures: no identifier twice
    assert main([*words, first]) == main([*words, second]) == 0
    assert capsys.readouterr().out == ""
    content = Path(first).read_bytes()
    assert content == Path(second).read_bytes()
    page = whole(content.decode())
    assert [tag for tag, _ in page.attributes].count("svg") == 2
    assert "relative residual" in page.text  # of the picture
    for line in shown.splitlines()[3:]:
        if line.startswith((" theorem", "gd-", "mean rate", "distance", "J at step")):
            for cell in re.split(r"\s{2,}", line.strip()):
                assert cell in page.text
    assert shown.count("theorem-gd-smooth") >= 3  # so that there were lines to compare


def test_a_run_without_unit_rows_has_no_promises(tmp_path: Path) -> None:
    X, y = 3.0 * np.eye(3), np.array([1.0, -1.0, 1.0])
    net = jacspec.ShallowNet.initialize(4, 3, "softplus", y=y, seed=0)
    saved, out = tmp_path / "run.npz", tmp_path / "report.html"
    jacspec.train(net, X, y, steps=3, eta=0.01).save(saved)
    assert main(["report", "--run", str(saved), "--output", str(out), "--quiet"]) == 0
    page = whole(out.read_text(encoding="utf-8"))
    assert "No bound is computed" in page.text
    assert "mean rate" in page.text


def test_a_certificate_is_shown_and_checked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = np.eye(4), np.array([1.0, -1.0, 1.0, 1.0])
    net = jacspec.ShallowNet.initialize(8, 4, "softplus", y=y, seed=0)
    saved, path, out = tmp_path / "run.npz", tmp_path / "certificate.npz", tmp_path / "report.html"
    jacspec.train(net, X, y, steps=2000, tolerance=1e-9).save(saved)
    assert main(["certify", str(saved), "--save", str(path), "--quiet", "--no-color"]) == 0
    shown, _, end = capsys.readouterr().out.partition("Saved to")
    assert end.splitlines()[0].endswith("certificate.npz.")  # a path is never broken
    words = ["report", "--certificate", str(path), "--quiet", "--output", str(out)]
    assert main(words) == 0
    content = out.read_bytes()
    page = whole(content.decode())
    for words_of_certify in ("CERTIFIED (", "Zero loss is attained within"):
        assert words_of_certify in page.text
    cells = [cell for line in shown.splitlines() for cell in re.split(r"\s{2,}", line.strip()) if len(line) < 60]
    assert any(cell.startswith("at most") for cell in cells)
    for cell in cells:
        assert cell in page.text
    assert "VALID: " in page.text
    assert "INVALID" not in page.text
    assert "proved: sigma_min(J) >=" in page.text
    assert main(words) == 0
    assert out.read_bytes() == content  # no seconds in it

    import verification.recheck as room

    monkeypatch.setattr(room, "recheck", lambda path: room.Finding(False, "h is not below 1"))
    capsys.readouterr()
    assert main(words) == 1
    assert capsys.readouterr().err == f"jacspec: INVALID certificate: {path}\n"
    assert "INVALID: h is not below 1" in Page(out.read_text(encoding="utf-8")).text
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 4
    path.write_bytes(bytes(damaged))
    assert main(words) == 2
    assert "--certificate" in capsys.readouterr().err


def test_a_phase_diagram_is_that_of_its_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, out = tmp_path / "phase.db", tmp_path / "report.html"
    sweep = ["phase", "--d", "3", "--n", "4:8:2", "--k", "2:4:2", "--trials", "3", "--most", "5", "--steps", "60"]
    sweep += ["--tolerance", "0.2", "--store", str(store), "--workers", "1", "--quiet", "--no-color"]
    assert main(sweep) == 0
    shown = capsys.readouterr().out
    held = store.read_bytes()
    words = ["report", "--phase", str(store), "--quiet", "--output", str(out)]
    assert main(words) == 0
    content = out.read_bytes()
    page = whole(content.decode())
    assert store.read_bytes() == held
    lines = [line for line in shown.splitlines() if re.match(r"\s*\d+ ", line) and "trials on" not in line]
    assert len(lines) >= 5  # cells by verdict, and a line for each n
    for cell in [cell for line in lines for cell in re.split(r"\s{2,}", line.strip())]:
        assert cell in page.text
    assert "theorem-gd-smooth (paper)" in page.text
    assert "trials were there already" in page.text
    assert "incomplete" not in page.text
    assert "left out" not in page.text
    assert main(words) == 0
    assert out.read_bytes() == content

    held_elsewhere = tmp_path / "other.db"
    held_elsewhere.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    assert main(["report", "--phase", str(held_elsewhere), "--output", str(out)]) == 2
    assert main(["report", "--phase", str(tmp_path / "none.db"), "--output", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.count("--phase") == said.count("\n") == 2
    assert out.read_bytes() == content


def test_constants_are_those_of_their_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, words = tmp_path / "report.html", ["sphere:n=6,d=3", "--rows", "0:5", "-a", "relu", "-a", "tanh"]
    assert main(["constants", *words, "--quiet", "--no-color"]) == 0
    shown = capsys.readouterr().out
    assert main(["report", "--data", *words, "--output", str(out), "--quiet"]) == 0
    page = whole(out.read_text(encoding="utf-8"))
    cells = [cell for line in shown.splitlines() for cell in re.split(r"\s{2,}", line.strip()) if not set(cell) & {"─"}]
    assert sum(cell.startswith(("lambda", "sigma_min", "kappa", "relu", "tanh")) for cell in cells) >= 6
    for cell in cells:
        assert cell in page.text
    for option in (["--rows", "0:5"], ["--rigorous"], ["--digits", "5"], ["-a", "relu"]):
        assert main(["report", *option, "--output", str(out)]) == 2
        assert "--data" in capsys.readouterr().err
    words += ["--rigorous", "--digits", "5"]
    assert main(["constants", *words, "--quiet", "--no-color"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["report", "--data", *words, "--output", str(out), "--quiet"]) == 0
    page = whole(out.read_text(encoding="utf-8"))
    assert any(line.startswith("  mu_2 = ") for line in lines)
    for line in lines[lines.index("relu: mu_r to 5 digits") :]:
        assert line.strip() in page.text


def test_without_anything_stored_there_is_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, other = tmp_path / "report.html", tmp_path / "run.npz"
    assert main(["report", "--output", str(out)]) == 2
    assert "--run" in capsys.readouterr().err
    other.write_bytes(b"no run")
    assert main(["report", "--run", str(other), "--output", str(out)]) == 2
    said = capsys.readouterr().err
    assert "--run" in said
    assert said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "object"),
        (b'{"schema": "jacspec.train/1"}', "train"),
        (json.dumps({"schema": "jacspec.verify/1", "claims": [{"id": "x"}]}).encode(), "variants"),
        (json.dumps({"schema": "jacspec.verify/1", "claims": [3]}).encode(), "whole"),
    ],
)
def test_a_file_that_is_no_stored_run_is_one_line(
    content: bytes, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "verify.json", tmp_path / "report.html"
    path.write_bytes(content)
    assert main(["report", "--verify", str(path), "--output", str(out)]) == 2
    said = capsys.readouterr()
    assert word in said.err
    assert said.err.count("\n") == 1
    assert not out.exists()
