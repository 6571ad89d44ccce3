"""How tight every claim is, measured: `python docs/measure.py` writes docs/_measured/tightness.json.

Each claim is run as `jacspec verify` runs it, and searched as `jacspec sharpen SLUG --evaluations` does where it has a
slack. Without arguments, claims are measured that have no entry, or one of other forms (so the same command resumes
what was interrupted); with slugs, those; with --all, all of them, which takes about ten minutes on one core.

The claim pages of the documentation read the file, and their build fails where an entry is missing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from jacspec._files import atomic
from verification.claim import Claim, Kind
from verification.claims import SLUGS, load
from verification.search import SearchOptions, sharpen
from verification.verify import Options, verify_claim, versions

FILE = Path(__file__).parent / "_measured" / "tightness.json"
SCHEMA = "jacspec.tightness/1"
SEED = 0
#: Evaluations of a search, all four methods together.
EVALUATIONS = 300
#: What is kept of a form in the documents of `jacspec verify` and `jacspec sharpen`.
VERIFIED = ("verdict", "instances", "decided", "vacuous", "min_slack", "median_slack", "reason")
MEASURED = ("slacks", "gaps", "draws", "means", "trend")
SEARCHED = ("verdict", "min_slack", "method", "evaluation")


def rounded(value: Any) -> Any:
    """Nine digits are more than anyone reads, and keep the file small."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: rounded(x) for key, x in value.items()}
    return [rounded(x) for x in value] if isinstance(value, list) else value


def entry(claim: Claim, evaluations: int = EVALUATIONS) -> dict[str, Any]:
    """The entry of one claim; the same for the same versions."""
    document = verify_claim(claim, Options(seed=SEED, claims=len(SLUGS))).to_json()
    found: dict[str, Any] = {"variants": {}}
    for v in document["variants"]:
        kept = {key: v[key] for key in (*VERIFIED, *MEASURED) if key in v}
        # Slacks just above 1 would lose what lies beyond it.
        kept = {key: x if key.endswith("slack") else rounded(x) for key, x in kept.items()}
        found["variants"][v["name"]] = kept
    if any(part.kind in (Kind.UPPER, Kind.LOWER) for part in claim.parts()):
        search = sharpen(claim, SearchOptions(seconds=None, evaluations=evaluations, seed=SEED)).to_json()
        for v in search["variants"]:
            found["variants"][v["name"]]["search"] = {key: v[key] for key in SEARCHED}
        found["evaluations"] = search["evaluations"]
    return found


def read() -> dict[str, Any]:
    """Entries by slug."""
    if not FILE.exists():
        return {}
    document = json.loads(FILE.read_text(encoding="utf-8"))
    if document.get("schema") != SCHEMA:
        raise ValueError(f"{FILE}: got schema {document.get('schema')!r}; expected {SCHEMA!r}")
    return dict(document["claims"])


def write(entries: dict[str, Any]) -> None:
    """One line for each claim, in their order; those of claims that are no more are dropped."""
    head = {"schema": SCHEMA, "command": "python docs/measure.py", "seed": SEED, "evaluations": EVALUATIONS}
    lines = [json.dumps(head, allow_nan=False)[:-1] + ', "claims": {']
    body = [f"{json.dumps(s)}: {json.dumps(entries[s], allow_nan=False)}" for s in SLUGS if s in entries]
    lines += [*(f"{line}," for line in body[:-1]), *body[-1:], "}}"]
    FILE.parent.mkdir(exist_ok=True)
    with atomic(str(FILE), argument="FILE") as handle:
        handle.write("\n".join(lines) + "\n")


def current(entries: dict[str, Any], slug: str) -> bool:
    """Whether there is an entry of the claim with the forms that it has."""
    return list(entries.get(slug, {}).get("variants", {})) == [v.name for v in load(slug).variants]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slugs", nargs="*", metavar="SLUG", help="Measure these again.")
    parser.add_argument("--all", action="store_true", help="Measure all again.")
    arguments = parser.parse_args()
    if unknown := set(arguments.slugs) - set(SLUGS):
        parser.error(f"no claim has the slug {', '.join(sorted(unknown))}; `jacspec claims` lists them")
    entries = read()
    wanted = SLUGS if arguments.all else arguments.slugs or [slug for slug in SLUGS if not current(entries, slug)]
    for slug in wanted:
        print(slug, flush=True)
        entries[slug] = {"versions": versions(), **entry(load(slug))}
        write(entries)


if __name__ == "__main__":
    main()
