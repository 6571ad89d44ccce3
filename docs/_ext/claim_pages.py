"""A page per claim, and a table of all of them, written from the Claim values before Sphinx reads its sources.

Other pages show a statement by the directive ``{claim} SLUG``. Nothing that a claim says is typed a second time; typed
here are the words that kinds and forms have in common. Output goes to docs/claims/, which git ignores; a page is
written only where it changed, so that Sphinx rebuilds no more than it must.
"""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

import tightness

from verification.claim import Claim, Kind, Variant
from verification.claims import SLUGS, load
from verification.instances import format_spec
from verification.report.formulas import LONG, parts, pieces

__all__ = ["commands", "mixed", "page", "pages", "section", "table", "write"]

#: Sections of docs/theory.md, and what stands beside it.
SECTIONS = {
    "1": "Linear algebra",
    "2": "The Jacobian",
    "3": "Hermite coefficients and the covariance",
    "4": "Random initialization",
    "5": "Optimization",
    "6": "The network theorems",
    "7": "Certificates",
    "enclosure": "Enclosures: the bounds that certificates are made of",
    "": "Further claims",
}

#: How a statement of each kind is judged.
JUDGED = {
    Kind.IDENTITY: "The two sides must agree within proved rounding radii, and agreement within a wide radius does not "
    "count.",
    Kind.UPPER: "The left side must stay below the right side by more than the rounding radii; what float64 leaves in "
    "doubt is computed again with 60 digits.",
    Kind.LOWER: "The bound must stay below what it bounds by more than the rounding radii; a bound of exactly 0 says "
    "nothing, and counts as vacuous.",
    Kind.PROBABILITY: "Many independent draws: the verdict is about the number of failures, at an error level shared "
    "out over the run. One draw proves and refutes nothing. A form that promises nothing at an instance, for want of "
    "width, is vacuous there.",
    Kind.MEAN: "Independent bounded samples, whose mean is tested against the claimed expectation.",
    Kind.ASYMPTOTIC: "A law about growing sizes: its trend is measured, with an interval, and never judged.",
}

#: What a word in the name of a form says.
FORMS = {
    "paper": "as the paper states it",
    "explicit": "with every constant worked out",
    "sharp": "stronger, from the same hypotheses",
}

_THEORY = re.compile(r"\(docs/theory\.md sections? (?:\d and )?(\d)\)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|$~^\"'&:@=])")


# -- text -----------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Text as it is, with nothing that Markdown would take for markup."""
    return _SPECIAL.sub(r"\\\1", text)


def linked(text: str, slugs: Iterable[str], own: str = "") -> str:
    """`plain`, with formulas between dollars, the slugs of other claims as links and ``words in backticks`` as code."""
    slugs = set(slugs)
    if "$" in text and any(is_formula for is_formula, _ in pieces(text)):
        return "".join(f"${piece}$" if formula else linked(piece, slugs, own) for formula, piece in pieces(text))
    names = "|".join(re.escape(slug) for slug in sorted(slugs, key=len, reverse=True))
    pattern = re.compile(rf"`+(?P<code>[^`]+)`+|(?<![\w-])(?P<slug>{names})(?![\w-])|docs/(?P<page>\w+)\.md")
    out, end = [], 0
    for found in pattern.finditer(text):
        out.append(plain(text[end : found.start()]))
        word = found["slug"] or found["code"] or found[0]
        page = f"../{found['page']}.md" if found["page"] else f"{word}.md" if word in slugs and word != own else None
        out.append(f"`{word}`" if page is None else f"[{word}]({page})")
        end = found.end()
    return "".join((*out, plain(text[end:])))


def mixed(text: str) -> str:
    """Words and LaTeX in one line, as claims have them, as Markdown."""
    return "".join(f"${piece}$" if is_formula else plain(piece) for is_formula, piece in pieces(text))


def display(statement: str) -> str:
    r"""A displayed formula; one that is long is broken where its parts end."""
    lines = parts(statement) if len(statement) > LONG else [statement]
    if len(lines) == 1:
        return f"$$\n{statement}\n$$"
    body = " \\\\\n".join(f"& {line}" for line in lines)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


# -- a claim --------------------------------------------------------------------------------------------------------


def module_of(claim: Claim) -> ModuleType:
    """The module whose one value is the claim."""
    return importlib.import_module(f"verification.claims.{claim.id.replace('-', '_')}")


def section(claim: Claim) -> str:
    """Its section of the theory, "enclosure", or "" where its docstring names neither."""
    first = (module_of(claim).__doc__ or "").strip().split("\n\n")[0]
    found = _THEORY.search(first)
    if found:
        return found[1]
    return "enclosure" if "jacspec.enclosure" in first else ""


def commands(claim: Claim) -> list[list[str]]:
    """What one types to see, check and attack the claim."""
    out = [["jacspec", "claims", claim.id], ["jacspec", "verify", claim.id]]
    if claim.domain.from_data is not None:
        out.append(["jacspec", "verify", claim.id, "--data", "sphere:n=50,d=20"])
    if claim.extremal and Kind.ASYMPTOTIC not in claim.kinds:
        out.append(["jacspec", "verify", claim.id, "--instance", format_spec(claim.extremal[0])])
    if claim.kind in (Kind.UPPER, Kind.LOWER):
        out.append(["jacspec", "sharpen", claim.id])
    if claim.mutants:
        out.append(["jacspec", "verify", claim.id, "--mutants"])
    if Kind.ASYMPTOTIC in claim.kinds:
        out.append(["jacspec", "verify", claim.id, "--plot", "trends.svg"])
    out.append(["python", "-m", module_of(claim).__name__])
    return out


def page(claim: Claim, slugs: Iterable[str], file: str, measured: tightness.Entry) -> str:
    """The Markdown of one claim; `file` is the path of its source from the folder of the pages."""
    slugs, module = tuple(slugs), module_of(claim)
    kinds = ", ".join(kind.value for kind in claim.kinds)
    number = section(claim)
    where = (
        f"Section {number} of [the theory](../theory.md), {SECTIONS[number]}" if number.isdigit() else SECTIONS[number]
    )
    parts = [
        f"# {mixed(claim.title)}",
        f"`{claim.id}` · {kinds} · {where}",
        display(claim.statement),
        f"**Source.** {linked(claim.source, slugs)}.",
        "## Forms",
        _glossary(claim),
        "\n".join(_variant(claim, variant) for variant in claim.variants),
        "## Assumptions",
        "\n".join(f"- {mixed(a.text)}" for a in claim.assumptions) or "None beyond the domain.",
        "When one fails, the verdict is VACUOUS, with the numbers that say why." if claim.assumptions else "",
        "## Proof sketch" if claim.proof else "",
        linked(claim.proof, slugs, claim.id) if claim.proof else "",
        *(_remarks(module, claim, slugs)),
        *tightness.section(claim, measured, plain),
        "## How it is checked",
        _checked(claim),
        _console(commands(claim)),
        *(_mutants(claim)),
        f"The file, which is all there is to it: {{download}}`{Path(file).name} <{file}>`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _glossary(claim: Claim) -> str:
    """What the words mean that forms are named by, once."""
    used = [word for word in FORMS if any(re.search(rf"\b{word}\b(?!-twin)", v.name) for v in claim.variants)]
    return "; ".join(f"*{word}*: {FORMS[word]}" for word in used) + "." if used else ""


def _variant(claim: Claim, variant: Variant) -> str:
    kind = f" ({variant.kind.value})" if variant.kind not in (None, claim.kind) else ""
    return f"- **{plain(variant.name)}**{kind}: {mixed(variant.statement)}"


def _remarks(module: ModuleType, claim: Claim, slugs: tuple[str, ...]) -> list[str]:
    """What the docstring of the claim's file says beyond its first line."""
    rest = (module.__doc__ or "").strip().split("\n\n")[1:]
    return ["## Remarks", *(linked(" ".join(text.split()), slugs, claim.id) for text in rest)] if rest else []


def _checked(claim: Claim) -> str:
    own = " A user's data set is taken as well (`--data`)." if claim.domain.from_data is not None else ""
    always = f", and {len(claim.extremal)} instances that are always run" if claim.extremal else ""
    sentences = [f"Instances: {mixed(claim.domain.name)}; fuzzed{always}.{own}"]
    sentences += [
        (f"*{kind.value.capitalize()}*: " if len(claim.kinds) > 1 else "") + JUDGED[kind] for kind in claim.kinds
    ]
    if set(claim.kinds) & {Kind.IDENTITY, Kind.UPPER, Kind.LOWER} and claim.floor:
        sentences.append(
            f"At least {claim.floor:.0%} of the fuzzed instances must be decided, neither vacuous nor undecided, or the"
            " tests fail: a claim cannot pass by never being asked."
        )
    if claim.exact:
        sentences.append("The truth comes from an exact oracle, so that no instance is too large to be sure.")
    if claim.trends:
        grids = dict.fromkeys((law.grid.name, law.grid.shapes[0], law.grid.shapes[-1]) for law in claim.trends)
        sizes = "; ".join(f"{plain(name)}, from (n, d) = ({a[0]}, {a[1]}) to ({b[0]}, {b[1]})" for name, a, b in grids)
        sentences.append(f"Sizes: {sizes}.")
    return "\n\n".join(sentences)


def _console(lines: Iterable[list[str]]) -> str:
    return "```console\n" + "\n".join(f"$ {shlex.join(words)}" for words in lines) + "\n```"


def _mutants(claim: Claim) -> list[str]:
    if not claim.mutants:
        return []
    return [
        "## What it is not",
        "False neighbours of the statement, which the same machinery must refute; a check that lets one of them pass "
        "fails its own tests.",
        "\n".join(f"- **{plain(m.name)}**: {mixed(m.why)}" for m in claim.mutants),
    ]


# -- all of them ----------------------------------------------------------------------------------------------------


def table(all_claims: Mapping[str, Claim], measured: Mapping[str, tightness.Entry]) -> str:
    """The index: the claims by section of the theory."""
    count = sum(len(claim.variants) for claim in all_claims.values())
    mutants = sum(len(claim.mutants) for claim in all_claims.values())
    parts = [
        "# Claims",
        f"{len(all_claims)} statements in {count} forms, one file each, with {mutants} false neighbours that the "
        "tests refute. `jacspec claims` lists them, `jacspec verify` checks them, `jacspec verify SLUG` one of them. "
        "*How tight* is measured: a bound is tight where its two sides come within one part in 10,000 of each other.",
    ]
    for number, title in SECTIONS.items():
        members = [claim for claim in all_claims.values() if section(claim) == number]
        if members:
            rows = [
                f"| [{c.id}]({c.id}.md) | {mixed(c.title)} | {_kinds(c)} | {_forms(c)} "
                f"| {plain(tightness.summary(c, measured[c.id]))} |"
                for c in members
            ]
            heading = f"## {number}. {title}" if number.isdigit() else f"## {title}"
            parts += [
                heading,
                "\n".join(["| claim | says | kind | forms | how tight |", "|---|---|---|---|---|", *rows]),
            ]
    listing = "\n".join(f"{slug} <{slug}>" for slug in all_claims)
    parts.append(f"```{{toctree}}\n:hidden:\n\n{listing}\n```")
    return "\n\n".join(parts) + "\n"


def _kinds(claim: Claim) -> str:
    return ", ".join(kind.value for kind in claim.kinds)


def _forms(claim: Claim) -> str:
    names = [variant.name for variant in claim.variants]
    return plain(", ".join(names)) if len(names) <= 3 else str(len(names))


def pages(docs: Path) -> dict[str, str]:
    """All pages and their figures by file name; `docs` is the folder of the documentation, beside `verification`."""
    every = {slug: load(slug) for slug in SLUGS}  # not what other packages installed
    measured = tightness.entries(docs, every)
    out = {"index.md": table(every, measured)}
    for slug, claim in every.items():
        source = Path(f"../../verification/claims/{Path(str(module_of(claim).__file__)).name}")
        if not (docs / "claims" / source).resolve().exists():
            raise FileNotFoundError(f"{slug}: no file {source} from docs/claims")
        out[f"{slug}.md"] = page(claim, every, source.as_posix(), measured[slug])
        drawn = tightness.figure(claim, measured[slug])
        out |= {} if drawn is None else {f"{slug}.svg": drawn}
    return out


def write(docs: Path) -> None:
    """Write what changed, and remove pages of claims that are no more."""
    folder = docs / "claims"
    folder.mkdir(exist_ok=True)
    wanted = pages(docs)
    for old in {*folder.glob("*.md"), *folder.glob("*.svg")} - {folder / name for name in wanted}:
        old.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
