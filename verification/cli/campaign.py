"""`jacspec campaign`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .common import Written, command, console, output_options, progress_bar, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from verification.campaign import Block


@command(epilog="Example:  jacspec campaign --cases 20000 --log campaign.jsonl")
@click.option("--cases", type=int, default=1_000_000, show_default=True, help="At least so many, in whole blocks.")
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes.")
@click.option("--log", metavar="FILE", type=Written(), help="Blocks done; run again to resume.")
@output_options
def campaign(
    cases: int,
    jobs: int,
    log: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    output: str | None,
    no_color: bool,
) -> int:
    """Hold the enclosures of jacspec against exact arithmetic, a million times.

    Each case is a random instance of a claim enclosed-*: small and large, up
    to condition numbers of 1e17, singular, repeated, subnormal, huge, with
    radii and without, and some that are not numbers and must be refused.

    Exit code 0: all statements hold; 1: one does not (it stops there).
    """
    from jacspec._checks import check_int, check_seed
    from verification.campaign import CASES, Log, plan
    from verification.campaign import campaign as run

    check_seed("--seed", seed)
    check_int("--cases", cases, minimum=1, maximum=10**12)
    check_int("--jobs", jobs, minimum=1, maximum=1024)
    record = Log(log, seed)
    left = sum(key not in record.blocks for key in plan(cases))
    escaped = [e for block in record.blocks.values() for e in block.escapes]
    with progress_bar(left, quiet or as_json) as advance:
        for block in run(record, cases, seed, jobs=jobs) if not escaped else ():
            advance(f"{block.slug} {block.number}: {CASES[block.slug]} cases")
            if block.escapes:
                break
    totals = record.totals()
    if as_json:
        write_json(_document(totals, seed), output)
    else:
        with console(output, no_color) as out:
            _print(out, totals, seed)
    return 1 if any(block.escapes for block in totals.values()) else 0


def _document(totals: Mapping[str, Block], seed: int) -> dict[str, Any]:
    from jacspec import __version__

    claims = []
    for block in totals.values():
        known = block.to_json()
        known["blocks"] = known.pop("number")
        for name in ("largest", "rounding"):
            known[name] = {k: "inf" if share == float("inf") else share for k, share in known[name].items()}
        claims.append(known)
    return {"schema": "jacspec.campaign/1", "version": __version__, "seed": seed, "claims": claims}


def _print(out: Console, totals: Mapping[str, Block], seed: int) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("enclosed-", "cases", "refused", "singular", "variant", "statements", "largest", "rounding"):
        table.add_column(name, justify="left" if name in ("enclosed-", "variant") else "right", no_wrap=True)
    for block in totals.values():
        first = [block.slug.removeprefix("enclosed-"), f"{block.cases:,}", f"{block.refused:,}", f"{block.singular:,}"]
        for name, count in block.statements.items() or {"": 0}.items():
            shares = (f"{known[name]:.3f}" if name in known else "" for known in (block.largest, block.rounding))
            table.add_row(*first, name, f"{count:,}", *shares)
            first = [""] * 4
    out.print(table)
    cases, refused = sum(b.cases for b in totals.values()), sum(b.refused for b in totals.values())
    statements = sum(n for b in totals.values() for n in b.statements.values())
    escapes = [e for b in totals.values() for e in b.escapes]
    out.print(
        f"{cases:,} cases (seed {seed}): {statements:,} statements, {refused:,} refusals of data that are not "
        f"numbers, {len(escapes)} escapes.",
        soft_wrap=True,
    )
    out.print("largest: error over bound; rounding: the same for exact data and intervals away from 0.", soft_wrap=True)
    for slug, block in totals.items():
        for escape in block.escapes:
            variant, _, spec = escape.partition(": ")
            out.print(
                f"ESCAPE {variant}: jacspec verify {slug} --instance {spec}",
                style="bold red",
                markup=False,
                soft_wrap=True,
            )
