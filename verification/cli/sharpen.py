"""`jacspec sharpen`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from . import completion
from .claims import _known, _slack
from .common import Files, Written, command, console, output_options, progress_bar, write_json
from .text import number
from .verdicts import exit_code_of, painted, show_records

if TYPE_CHECKING:
    from rich.console import Console

    from verification.claim import Claim
    from verification.search import SearchReport, Sharpness

_METHODS = ("extremal", "random", "l-bfgs", "cma")


@command(epilog="Example:  jacspec sharpen jacobian-lipschitz --budget 10")
@click.argument("slug", shell_complete=completion.claims)
@click.option("--budget", type=float, metavar="SECONDS", help="Seconds to search.  [default: 20]")
@click.option("--evaluations", type=int, metavar="N", help="Stop after N evaluations instead: same seed, same result.")
@click.option("--method", "methods", multiple=True, type=click.Choice(_METHODS), help="Only this one; repeatable.")
@click.option("--save", metavar="FILE.npz", type=Written("npz"), help="Also write a worst case.")
@click.option("--variant", metavar="NAME", help="Which variant's worst case --save writes.")
@click.option("--witness", metavar="FILE", type=click.Path(dir_okay=False), help="Judge a saved worst case again.")
@output_options
def sharpen(
    slug: str,
    budget: float | None,
    evaluations: int | None,
    methods: tuple[str, ...],
    save: str | None,
    variant: str | None,
    witness: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    output: str | None,
    no_color: bool,
) -> int:
    """Search for the worst case of SLUG: how tight each variant is.

    A file such as my_bound.py in place of SLUG is a claim of your own.

    Exit code 0: nothing violated; 1: a violation, confirmed in 60 digits;
    5: nothing decided.
    """
    from jacspec import InputError
    from jacspec._checks import check_int, check_real, check_seed
    from verification.claims import load

    reference = _known(slug)
    claim = load(reference)
    names = [v.name for v in claim.variants]
    if variant is not None and variant not in names:
        raise InputError("--variant", repr(variant), f"one of {', '.join(names)}")
    if witness is not None:
        return _judge(claim, witness, as_json=as_json, output=output, no_color=no_color)
    check_seed("--seed", seed)
    if evaluations is not None:
        check_int("--evaluations", evaluations, minimum=1, maximum=10**9)
    if budget is not None:
        check_real("--budget", budget, above=0, at_most=1e7)
    from verification.own_claims import blamed
    from verification.search import METHODS, SearchOptions, save_witness
    from verification.search import sharpen as run

    seconds = budget if budget is not None or evaluations is not None else 20.0
    chosen = tuple(m for m in METHODS if m in methods) or METHODS
    options = SearchOptions(seconds=seconds, evaluations=evaluations, seed=seed, methods=chosen)
    with progress_bar(100, quiet or as_json) as advance:
        shown = 0

        def tick(done: float, method: str) -> None:
            nonlocal shown
            while shown < int(100 * done):
                shown += 1
                advance(f"{claim.id}: {method}")

        with blamed(reference):
            report = run(claim, options, tick)
    if reference != claim.id:
        report = replace(report, reference=reference)
    saved = _choose(report, variant)
    files = Files()
    if saved is not None:
        name = f"Saved the worst case of '{saved.name}' to"
        files.write(save, "--save", name, lambda path: save_witness(path, claim.id, saved))
    if as_json:
        write_json(report.to_json(), output)
    else:
        with console(output, no_color) as out:
            _print(out, report)
            files.print(out)
            if not quiet and not report.interrupted:
                out.print(_next(report, save, saved), markup=False, soft_wrap=True)
    files.settle()
    if report.interrupted:
        click.echo(f"jacspec: interrupted after {report.evaluations} evaluations", err=True)
        return 130
    return exit_code_of(v.verdict.value for v in report.variants)


def _choose(report: SearchReport, variant: str | None) -> Sharpness | None:
    """The variant whose witness is saved: the one asked for, else a violated one, else the tightest."""
    found = [v for v in report.variants if v.instance is not None and variant in (None, v.name)]
    return min(found, key=lambda v: (v.verdict.value != "VIOLATED", v.slack), default=None)


def _print(out: Console, report: SearchReport) -> None:
    from .tables import table

    listing = table("claim and form", "verdict", "least slack", "factor", "found by", "after", right=(2, 3, 5))
    listing.columns[0].no_wrap = True
    listing.add_row(report.id)
    for v in report.variants:
        verdict = painted(v.verdict.value)
        slack = "" if v.slack is None else _slack(max(v.slack, 1.0) if v.verdict.value == "HOLDS" else v.slack)
        factor = "" if v.factor is None else number(v.factor, 5)
        listing.add_row(f"  {v.name}", verdict, slack, factor, v.method, str(v.evaluation or ""))
    out.print(listing)
    for v in report.variants:
        out.print(f"{v.name}: {_meaning(v)}", markup=False)
        if v.verdict.value == "VIOLATED":
            out.print(f"  left  {v.left!r}\n  right {v.right!r}\n  {v.reason}", markup=False)
            out.print(f"  reproduce: {report.reproduce(v)}", markup=False, soft_wrap=True)
            _print_arrays(out, v)
    for note in report.notes:
        out.print(f"Note: {note}", markup=False)
    counts = ", ".join(f"{method} {count}" for method, count in sorted(report.by_method.items()))
    out.print(f"{report.evaluations} evaluations ({counts}), seed {report.seed}, {report.seconds:.1f} s.", markup=False)


def _meaning(v: Sharpness) -> str:
    """What a least slack says of the constant, in one sentence."""
    if v.slack is None or v.factor is None:
        return f"no instance with a slack{f': {v.reason}' if v.reason else ''}"
    if v.verdict.value == "VIOLATED":
        if v.slack <= 0:
            return "false: the larger side is not even positive"
        least = number(v.factor, 7)
        return f"false by {_percent(1 - v.slack)}: the constant must give way by a factor of at least {least}"
    if v.tight:
        where = "attained" if v.slack <= 1 else f"to within {v.slack - 1:.0e}"
        return f"tight ({where}): the constant cannot be improved"
    return (
        f"loose by {_percent(v.slack - 1)} on the worst case found: the bound could at best be tightened by a factor "
        f"of {number(v.slack, 5)} (its larger side times {number(v.factor, 5)})"
    )


def _percent(x: float) -> str:
    return f"{100 * x:.3g} %" if math.isfinite(x) else "inf"


def _print_arrays(out: Console, v: Sharpness) -> None:
    if v.instance is None:
        return
    from verification.instances import format_spec

    out.print(f"  from  {format_spec(v.instance.spec)}", markup=False, soft_wrap=True)
    for name, A in v.instance.arrays.items():
        text = repr(A.tolist()) if A.size <= 24 else f"array of shape {A.shape} (--save FILE writes it)"
        out.print(f"  {name} = {text}", markup=False, soft_wrap=True)


def _next(report: SearchReport, save: str | None, saved: Sharpness | None) -> str:
    if save is not None and saved is not None:
        return f"\nNext: jacspec sharpen {report.called} --witness {save}   (judge it again)"
    return f"\nNext: jacspec sharpen {report.called} --save FILE.npz   (keep the worst case)"


def _judge(claim: Claim, path: str, *, as_json: bool, output: str | None, no_color: bool) -> int:
    """`check` on a saved witness."""
    from jacspec import InputError
    from verification.claim import Kind, check
    from verification.search import load_witness

    if claim.kind in (Kind.MEAN, Kind.ASYMPTOTIC):
        raise InputError("SLUG", repr(claim.id), "a claim that is judged on one instance")
    records = check(claim, load_witness(path, claim))
    return show_records(claim.id, records, {"witness": path}, as_json=as_json, output=output, no_color=no_color)
