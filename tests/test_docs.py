"""The claim pages say what the claims say, and what the tutorials tell people to type gives what they show."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jacspec import InputError
from jacspec import load as load_data
from verification.claims import SLUGS, load
from verification.report.formulas import mathml

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TUTORIALS = ("tutorial-theorist", "tutorial-hypothesis", "tutorial-data")
PAGES = (*TUTORIALS, "own-data", "own-activation", "own-lemmas", "check", "constants", "certificates")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def extension() -> ModuleType:
    spec = importlib.util.spec_from_file_location("claim_pages", DOCS / "_ext" / "claim_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS / "_ext")
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def claim_pages() -> ModuleType:
    return extension()


# -- claim pages ----------------------------------------------------------------------------------------------------


def test_there_is_a_page_per_claim_and_a_table(claim_pages: ModuleType) -> None:
    pages = claim_pages.pages(DOCS)
    drawn = {f"{slug}.svg" for slug in SLUGS if load(slug).trends}
    assert set(pages) == {"index.md", *(f"{slug}.md" for slug in SLUGS)} | drawn
    for slug in SLUGS:
        assert f"[{slug}]({slug}.md)" in pages["index.md"]
        for variant in load(slug).variants:
            assert f"- **{claim_pages.plain(variant.name)}**" in pages[f"{slug}.md"]
        for mutant in load(slug).mutants:
            assert f"- **{claim_pages.plain(mutant.name)}**" in pages[f"{slug}.md"]


@pytest.mark.parametrize("package", ["jacspec", "verification"])
def test_documents_that_sources_cite_are_in_the_repository(package: str) -> None:
    headings = re.findall(r"^## (\d)\.", (DOCS / "theory.md").read_text(encoding="utf-8"), re.M)
    for path in (ROOT / package).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for cited in re.findall(r"[\w/-]+\.md\b", text):
            assert (ROOT / cited).exists(), f"{path}: {cited}"
        for sections in re.findall(r"docs/theory\.md\s+sections?\s+(\d(?:(?:, | to | and )\d)*)", text):
            assert set(re.findall(r"\d", sections)) <= set(headings), f"{path}: {sections}"


def test_every_claim_has_its_section(claim_pages: ModuleType) -> None:
    assert all(claim_pages.section(load(slug)) for slug in SLUGS)


@pytest.mark.parametrize("slug", SLUGS)
def test_formulas_are_whole(claim_pages: ModuleType, slug: str) -> None:
    """Nothing is lost between a statement and its page, and no cut leaves half a formula."""
    claim = load(slug)
    for text in (*(v.statement for v in claim.variants), *(m.why for m in claim.mutants), claim.proof):
        shown = claim_pages.mixed(text)
        assert re.sub(r"\s|\$|\\(?=[^A-Za-z])", "", shown) == re.sub(r"\s|\$|\\(?=[^A-Za-z])", "", text)
        for formula in re.findall(r"(?<!\\)\$(.+?)(?<!\\)\$", shown):
            assert formula.count("{") == formula.count("}"), shown
    statement = claim_pages.display(claim.statement)
    spaces = r"\s|\\(?:\\|,|q?quad| )|&|\\(?:begin|end)\{aligned\}|\$"
    assert re.sub(spaces, "", statement) == re.sub(spaces, "", claim.statement)


def test_every_formula_of_a_page_is_one_that_browsers_draw(claim_pages: ModuleType) -> None:
    """No LaTeX, no sign of an alignment and no alphabet that browsers ignore is left in it."""
    texts = [text for name, text in claim_pages.pages(DOCS).items() if name.endswith(".md")]
    texts += [*(path.read_text(encoding="utf-8") for path in DOCS.glob("*.md"))]
    prose = [re.sub(r"`[^`\n]+`|^    .*$", "", BLOCK.sub("", text), flags=re.M) for text in texts]
    found = [
        (a or b, bool(a))
        for text in prose
        for a, b in re.findall(r"(?<!\\)\$\$(.+?)\$\$|(?<!\\)\$(.+?)(?<!\\)\$", text, re.S)
    ]
    assert len(found) > 500
    for formula, display in set(found):
        drawn = mathml(formula, display=display)
        assert drawn is not None, formula
        assert not re.search(r"\\|&amp;|double-struck", drawn), formula
    assert sum(r"\begin{aligned}" in formula for formula, _ in found) > 10
    aligned = mathml("\\begin{aligned}\n& a = b \\\\\n& c\n\\end{aligned}", display=True)
    assert aligned is not None
    assert aligned.count("<mtr>") == 2
    expectation = mathml(r"\mathbb{E}_w", display=False)
    assert mathml(r"\mathbb E_w", display=False) == expectation != mathml("E_w", display=False)
    assert mathml(r"a & b", display=False) is None


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_norms_in_tables_keep_both_bars(path: Path) -> None:
    r"""In a table Markdown takes ``\|`` for one bar, which is another thing in a formula: ``\lVert`` there."""
    assert not re.findall(r"^\|.*\$[^$`]*\\\|[^$`]*\$.*$", path.read_text(encoding="utf-8"), re.M)


def test_links_to_other_claims_lead_somewhere(claim_pages: ModuleType) -> None:
    pages = claim_pages.pages(DOCS)
    targets = {link for text in pages.values() for link in re.findall(r"\]\(([\w./-]+\.md)\)", text)}
    assert targets - set(pages) <= {"../theory.md", "../rigor.md", "../asymptotics.md"}


@pytest.mark.parametrize("slug", SLUGS)
def test_commands_of_a_page_are_ones_that_exist(claim_pages: ModuleType, slug: str) -> None:
    import click

    from verification.cli import cli

    for command in claim_pages.commands(load(slug)):
        if command[0] == "jacspec":
            found = cli.get_command(click.Context(cli), command[1])
            assert found is not None
            found.make_context(command[1], command[2:])
        else:
            assert importlib.util.find_spec(command[2]) is not None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\|X\| in place of \|X\|^2", r"$\|X\|$ in place of $\|X\|^2$"),
        (r"1.001 \sqrt D with c = 1", r"$1.001 \sqrt D$ with $c = 1$"),
        (r"\sqrt{a of b}, without a cut", r"$\sqrt{a of b}$, without a cut"),
        (r"\left( in \right)", r"$\left( in \right)$"),
        ("s* < 1", r"s\* \< 1"),
    ],
)
def test_words_and_formulas_are_told_apart(claim_pages: ModuleType, text: str, shown: str) -> None:
    assert claim_pages.mixed(text) == shown


# -- tutorials ------------------------------------------------------------------------------------------------------


def run(arguments: list[str], cwd: Path, *site: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [*map(str, site), str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("COLUMNS", None)  # which pytest-xdist sets, and lines would break elsewhere
    return subprocess.run(arguments, capture_output=True, text=True, env=environment, timeout=400, check=False, cwd=cwd)


def words(line: str) -> list[str]:
    if line.startswith("jacspec "):
        return [sys.executable, "-c", "from verification.cli import run; run()", *shlex.split(line)[1:]]
    if line.startswith("python -m verification."):
        return [sys.executable, *shlex.split(line)[1:]]
    assert line.startswith("python -m pytest "), line
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *shlex.split(line)[3:]]


def shape(text: str) -> list[str]:
    """Lines without their numbers, which other processors compute a little differently, and without rules and space."""
    numbers = re.compile(r"[-+~]?\b\d[\d,.]*(?:e[-+]?\d+)?")
    lines = (re.sub(r"\s+", " ", numbers.sub("#", line)).strip() for line in text.splitlines())
    return [line for line in lines if line.strip("─ .")]


def check_entry_points(body: str, folder: Path) -> None:
    """Names and values of entry points are those of claims in the files that the page wrote before."""
    from verification.own_claims import GROUP, load_file

    (entries,) = tomllib.loads(body)["project"]["entry-points"].items()
    assert entries[0] == GROUP
    for slug, value in entries[1].items():
        module, _, name = value.partition(":")
        assert [claim.id for claim in load_file(str(folder / f"{module}.py"))] == [slug]
        assert name == "CLAIM"


def check_ini(body: str, folder: Path) -> None:
    """For the runs that follow: the option must exist (pytest warns of unknown ones)."""
    (folder / "pytest.ini").write_text(body, encoding="utf-8")


#: What a page shows and nobody types.
CONFIGURATION = {"toml": check_entry_points, "ini": check_ini}


@pytest.mark.parametrize("name", PAGES)
def test_tutorials_work_and_show_what_happens(name: str, tmp_path: Path, plugin_site: Path) -> None:
    """Blocks in order, in one folder; every line of a ```text block comes from what ran before it."""
    blocks = BLOCK.findall((DOCS / f"{name}.md").read_text(encoding="utf-8"))
    assert "console" in {language for language, _ in blocks} <= {*CONFIGURATION, "python", "console", "text"}
    printed: list[str] = []
    for index, (language, body) in enumerate(blocks):
        shown = blocks[index + 1][1] if index + 1 < len(blocks) else ""
        code = 2 if shown.startswith("jacspec: error:") else int(bool(re.search(r"\b1 failed|\bis VIOLATED", shown)))
        if language == "text":
            missing = [line for line in shape(body) if line not in printed]
            assert not missing, "\n".join((*missing, "-- printed:", *printed))
            continue
        printed = []
        if language == "python" and re.match(r"# \w+\.py\n", body):
            (tmp_path / body.split()[1]).write_text(body, encoding="utf-8")
            continue
        if language in CONFIGURATION:
            CONFIGURATION[language](body, tmp_path)
            continue
        lines = body.splitlines()
        assert language == "python" or all(line.startswith("$ ") for line in lines)
        jobs = [[sys.executable, "-W", "error", "-c", body]] if language == "python" else [words(s[2:]) for s in lines]
        for job in jobs:
            done = run(job, tmp_path, plugin_site)
            assert done.returncode == code, f"{job[3:]}: {done.stdout}{done.stderr}"
            printed += shape(done.stdout if code < 2 else done.stderr)


#: What a command is given, and the words after *expected* by which docs/own-data.md explains the refusal.
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "rows of norm 1": ("a,b\n3,4\n", {}),
    "rows with a direction; leave it out": ("a,b\n0,0\n1,2\n", {"normalize": True}),
    "a number": ("a,b\n1,\n", {}),
    "a number with a decimal point": ("a;b\n1;2\n1,5;2\n", {}),
    "finite entries": ("a,b\n1,nan\n", {}),
    "3, as on the lines before it": ("1,2,3\n1,2\n", {}),
    "no index column": (",a\n0,1\n", {}),
    "one for each row": ("1,0\n0,1\n", {"labels": [1.0]}),
    "labels that are not all zero": ("1,0\n0,1\n", {"labels": [0.0, 0.0]}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_errors_are_explained_in_the_words_that_they_have(words: str, tmp_path: Path) -> None:
    table, more = REFUSED[words]
    path = tmp_path / "people.csv"
    path.write_text(table, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        load_data(str(path), **more)
    assert refused.value.expected.startswith(words)
    rows = re.findall(r"^\| (.+?) \| .* \|$", (DOCS / "own-data.md").read_text(encoding="utf-8"), re.M)
    assert words in rows


def test_the_table_of_widths_is_what_its_command_prints(tmp_path: Path) -> None:
    """Word by word; numbers to two percent, as they are rounded."""
    page = (DOCS / "widths.md").read_text(encoding="utf-8")
    (source,) = (body for language, body in BLOCK.findall(page) if language == "python")
    done = run([sys.executable, "-W", "error", "-c", source], tmp_path)
    assert done.returncode == 0, done.stderr
    shown = [line for line in page.splitlines() if line.startswith("| ") and "claims/" in line]
    printed = done.stdout.splitlines()
    assert len(shown) == len(printed) > 10
    for one, other in zip(shown, printed, strict=True):
        for a, b in zip(one.split(" | "), other.split(" | "), strict=True):
            numbers = a.rstrip(" |")[:1].isdigit()
            assert float(a.rstrip(" |")) == pytest.approx(float(b.rstrip(" |")), rel=0.02) if numbers else a == b


@pytest.mark.parametrize("script", sorted((DOCS / "gallery").glob("*.py")), ids=lambda path: path.stem)
def test_gallery_scripts_are_what_a_user_could_write(script: Path) -> None:
    """Public names only, a page of a claim to read on, and words for each figure; that they run is seen at a build."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    linked = re.findall(r"</claims/([\w-]+)>", ast.get_docstring(tree) or "")
    assert linked
    assert set(linked) <= set(SLUGS)
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            used |= {part for name in [node.module or "", *(a.name for a in node.names)] for part in name.split(".")}
    assert not [name for name in used if name.startswith("_")]


def test_the_theory_names_every_claim_of_the_theory(claim_pages: ModuleType) -> None:
    page = (DOCS / "theory.md").read_text(encoding="utf-8")
    shown = {*re.findall(r"claims/([\w-]+)\.md", page), *re.findall(r"\{claim\} ([\w-]+)", page)}
    wanted = {slug for slug in SLUGS if claim_pages.section(load(slug)) != "enclosure"}
    assert wanted <= shown <= {*SLUGS, "index"}


@pytest.mark.parametrize(
    "package", ["jacspec", "jacspec.enclosure", "jacspec.certificates", "jacspec.testing", "verification.sweep"]
)
def test_the_api_page_has_every_public_name(package: str) -> None:
    listed = {line.strip().rpartition(".")[2] for line in (DOCS / "api.md").read_text(encoding="utf-8").splitlines()}
    missing = {name for name in importlib.import_module(package).__all__ if not name.startswith("__")} - listed
    assert not missing
