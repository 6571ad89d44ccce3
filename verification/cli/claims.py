"""`jacspec claims` and `jacspec verify`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from . import completion
from .common import (
    Files,
    Reading,
    Written,
    command,
    console,
    data_options,
    figure_option,
    output_options,
    progress_bar,
    put,
    write_json,
)
from .text import number
from .verdicts import painted, show_records

if TYPE_CHECKING:
    from rich.console import Console

    from verification.claim import Claim
    from verification.verify import ClaimReport, VariantReport


def _known(slug: str) -> str:
    """A slug, also with underscores, or a file with one claim; otherwise an error with a suggestion."""
    from jacspec import InputError

    found = _references(slug)
    if len(found) > 1:
        raise InputError("FILE", repr(slug), f"one claim: {', '.join(found)}")
    return found[0]


def _references(slug: str) -> list[str]:
    """A slug, also with underscores, or every claim of a file; otherwise an error with a suggestion."""
    from jacspec import InputError
    from jacspec._checks import suggestion
    from verification.claims import SLUGS, slugs
    from verification.own_claims import expand, is_file

    if is_file(slug):
        return expand(slug)
    name = slug.strip().lower().replace("_", "-")
    if name in SLUGS or name in slugs():
        return [name]
    own = f"{name.replace('-', '_')}.py"  # what new-claim wrote
    hint = f"; did you mean '{own}'?" if os.path.isfile(own) else suggestion(name, slugs())
    raise InputError("SLUG", repr(slug), f"a claim that `jacspec claims` lists, or a .py file{hint}")


def _all_references(names: Iterable[str]) -> list[str]:
    """What was asked for, each once; everything when nothing was.

    Two different claims of one id, such as a file and a copy of it, would be one in every report: an error.
    """
    from jacspec import InputError
    from verification.claims import SLUGS, load, slugs

    wanted = list(dict.fromkeys(reference for name in names for reference in _references(name)))
    owners: dict[str, str] = {}
    for reference in wanted:
        own = reference if reference in SLUGS else load(reference).id
        other = owners.setdefault(own, reference)
        if other != reference:
            raise InputError(f"{reference}: id", repr(own), f"an id of its own; {other} has this one too")
    return wanted or list(slugs())


# -- claims ---------------------------------------------------------------------------------------------------------


@command(epilog="Example:  jacspec claims jacobian-lipschitz")
@click.argument("slug", required=False, shell_complete=completion.claims)
@output_options
def claims(slug: str | None, as_json: bool, no_color: bool, quiet: bool, output: str | None, seed: int) -> None:
    """List the claims, or show SLUG (or a file such as my_bound.py) in full."""
    from verification.claims import claims as all_claims
    from verification.claims import load

    reference = _known(slug) if slug else None
    chosen = [load(reference)] if reference else list(all_claims().values())
    if as_json:
        write_json({"schema": "jacspec.claims/1", "claims": [_claim_json(c) for c in chosen]}, output)
        return
    with console(output, no_color) as out:
        if slug:
            _print_claim(out, chosen[0])
        else:
            from rich.markup import escape

            from verification.report.typed import typed

            from .tables import table

            listing = table("claim", "what it says (and its kind)")
            for c in chosen:
                listing.add_row(c.id, escape(f"{typed(c.title)} ({' + '.join(k.value for k in c.kinds)})"))
            listing.columns[0].no_wrap = True
            out.print(listing)
        if not quiet:
            name = shlex.quote(reference) if reference else "SLUG"
            out.print(f"Next: jacspec verify {name}" + ("" if slug else "   (or jacspec claims SLUG)"), markup=False)


def _claim_json(c: Claim) -> dict[str, Any]:
    return {
        "id": c.id,
        "title": c.title,
        "kind": c.kind.value,
        "statement": c.statement,
        "source": c.source,
        "domain": c.domain.name,
        "floor": c.floor,
        "variants": [{"name": v.name, "statement": v.statement, "kind": (v.kind or c.kind).value} for v in c.variants],
        "assumptions": [a.text for a in c.assumptions],
        "mutants": [{"name": m.name, "why": m.why} for m in c.mutants],
        "proof": c.proof,
    }


def _print_claim(out: Console, c: Claim) -> None:
    from rich.markup import escape

    from verification.report.typed import typed, typed_formula

    out.print(f"[bold]{c.id}[/bold]  {escape(typed(c.title))}")
    lines = [
        ("kind", ", ".join(k.value for k in c.kinds)),
        ("statement", typed_formula(c.statement)),
        ("source", typed(c.source)),
        ("instances", c.domain.name),
    ]
    lines += [(v.name, typed(v.statement)) for v in c.variants]
    lines += [("assumes", typed(a.text)) for a in c.assumptions]
    lines += [("mutant", f"{m.name}: {typed(m.why)}") for m in c.mutants]
    lines += [("proof", typed(c.proof))] if c.proof else []
    from rich.text import Text

    from .tables import plain

    grid = plain(2)
    for name, text in lines:
        grid.add_row(name, Text(text))  # E[...] is no markup
    out.print(grid)


# -- verify ---------------------------------------------------------------------------------------------------------


@command(epilog="Example:  jacspec verify jacobian-lipschitz --data sphere:n=50,d=20")
@click.argument("slugs", nargs=-1, shell_complete=completion.claims, metavar="[SLUG | FILE.py]...")
@click.option(
    "--data",
    shell_complete=completion.data,
    metavar="DATA",
    help="Check on this data set (as for `jacspec constants`) instead.",
)
@data_options
@click.option(
    "--examples",
    type=int,
    default=250,
    show_default=True,
    help="Fuzzed instances per claim; a trend measures one size more for every doubling.",
)
@click.option("--alpha", type=float, default=0.01, show_default=True, help="Error level of the whole run.")
@click.option("--instance", metavar="SPEC", help="One instance of one claim, as a violation prints it.")
@click.option("--mutants", is_flag=True, help="Also try each claim's false neighbours, and hold it to its floor.")
@click.option("--jobs", type=int, default=None, help="Worker processes; the same results with any number.")
@click.option("--junitxml", type=Written(), metavar="FILE", help="Also write a JUnit report.")
@click.option("--html", type=Written(), metavar="FILE", help="Also write a report for a browser.")
@figure_option("Also draw the trends of asymptotic claims")
@output_options
def verify(
    slugs: tuple[str, ...],
    data: str | None,
    reading: Reading,
    examples: int,
    alpha: float,
    instance: str | None,
    mutants: bool,
    jobs: int | None,
    junitxml: str | None,
    html: str | None,
    plot: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    output: str | None,
    no_color: bool,
) -> int:
    """Check claims: on fuzzed instances, on a data set, or on one instance.

    A claim of your own is a file (`jacspec new-claim my-bound` writes one).
    Exit code 0: nothing violated; 1: something violated or refuted (with
    --mutants also: a mutant survives, or a form was decided on a smaller
    share of the instances than the claim's floor); 5: nothing decided.
    Asymptotic claims are measured, not judged.
    """
    from jacspec import InputError
    from jacspec._checks import check_int, check_real, check_seed
    from verification.claims import load as load_claim

    reading.need(data)
    wanted = _all_references(slugs)
    check_int("--examples", examples, minimum=1, maximum=10_000_000)
    check_real("--alpha", alpha, above=0, below=1)
    check_seed("--seed", seed)
    workers = check_int("--jobs", jobs, minimum=1) if jobs is not None else _processors()
    if plot is not None:
        from .trends import check_plot

        check_plot(plot, [load_claim(slug) for slug in wanted], on_one_X=data is not None or instance is not None)
    if instance is not None:
        if len(wanted) != 1 or data is not None:
            raise InputError("--instance", repr(instance), "exactly one SLUG, and no --data")
        if html is not None:
            raise InputError("--html", repr(html), "a run of claims: without --instance")
        if mutants:
            raise InputError("--mutants", "it with --instance", "one or the other: power shows on many instances")
        return _one_instance(wanted[0], instance, as_json=as_json, output=output, no_color=no_color)

    from verification.report import render
    from verification.verify import Options, versions
    from verification.verify import verify as run

    from .trends import draw

    loaded = None if data is None else reading.load(data)
    X = None if loaded is None else loaded.X
    options = Options(examples=examples, alpha=alpha, seed=seed, X=X, mutants=mutants)
    # Before the run: a file that is edited meanwhile must not cost its results.
    told = {claim.id: _claim_json(claim) for claim in map(load_claim, wanted)}
    reports: list[ClaimReport] = []
    interrupted, broken = False, None
    with progress_bar(len(wanted), quiet or as_json) as advance:
        try:
            for report in run(wanted, options, jobs=workers):
                reports.append(report)
                advance(report.id)
        except KeyboardInterrupt:
            interrupted = True  # what is finished is still shown
        except Exception as error:
            broken = error  # likewise
    if broken is not None and not reports:
        raise broken
    document = {
        "schema": "jacspec.verify/1",
        "seed": seed,
        "alpha": alpha,
        "examples": examples,
        "data": data,
        "interrupted": interrupted,
        "claims": [report.to_json() for report in reports],
        # What a report tells beside the verdicts, so that whoever reads the file runs no code of the claims.
        "dataset": None if loaded is None else {k: getattr(loaded, k) for k in ("source", "n", "d", "sha256")},
        "wanted": len(wanted),
        "error": None if broken is None else str(broken),
        "versions": versions(),
        "statements": {report.id: told[report.id] for report in reports},
    }
    files = Files()
    files.write(junitxml, "--junitxml", "Test cases in", lambda path: put(path, "--junitxml", _junit(reports)))
    if any(v.trend for report in reports for v in report.variants):
        files.write(plot, "--plot", "Drawn in", lambda path: draw(path, reports, seed))
    files.write(html, "--html", "Report in", lambda path: put(path, "--html", render(document)))
    if as_json:
        write_json(document, output)
    else:
        with console(output, no_color) as out:
            _print_reports(out, reports, seed, points=bool(slugs) and not quiet)
            if mutants:
                _explain_mutants(out, reports, data)
            files.print(out)
            if not quiet and not interrupted:
                out.print(_next(reports, plot), markup=False)
    if broken is not None:
        raise broken
    files.settle()
    if interrupted:
        click.echo(f"jacspec: interrupted after {len(reports)} of {len(wanted)} claims", err=True)
        return 130
    return exit_code(reports)


def _next(reports: list[ClaimReport], plot: str | None) -> str:
    if plot is None and len(reports) == 1 and any(v.trend for v in reports[0].variants):
        return f"\nNext: jacspec verify {reports[0].called} --plot trends.svg   (the same as a figure)"
    if len(reports) == 1 and reports[0].reference:
        from verification.claims import load

        name = reports[0].called
        if exit_code(reports) == 1:
            return f"\nNext: jacspec sharpen {name}   (by how much does it fail?)"
        if exit_code(reports) == 5:
            return f"\nNext: jacspec claims {name}   (what does it assume?)"
        if not reports[0].mutants and load(reports[0].reference).mutants:
            return f"\nNext: jacspec verify {name} --mutants   (is the check able to notice an error?)"
        return f"\nNext: jacspec sharpen {name}   (how tight is it?)"
    if len(reports) == 1:
        return f"\nNext: jacspec sharpen {reports[0].called}   (how tight is it?)"
    return "\nNext: jacspec claims SLUG   (a statement in full)"


def _processors() -> int:
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not Linux
        return max(1, os.cpu_count() or 1)


def exit_code(reports: Iterable[ClaimReport]) -> int:
    """1 when something is violated or refuted or, where mutants were tried, one survives or a form is below its floor.

    5 when nothing was decided or measured, else 0.
    """
    reports = list(reports)
    verdicts = {v.verdict.value for report in reports for v in report.variants}
    powerless = any(
        any(not m.refuted for m in report.mutants) or any(report.starved(v) for v in report.variants)
        for report in reports
        if report.mutants
    )
    if powerless or verdicts & {"VIOLATED", "REFUTED"}:
        return 1
    return 0 if verdicts & {"HOLDS", "SUPPORTED", "MEASURED"} else 5


def _slack(value: float | None) -> str:
    """Five digits; what lies beyond 1 where it is tight."""
    if value is None:
        return ""
    return f"1 + {value - 1:.0e}" if 0 < value - 1 < 1e-3 else number(value, 4 if value < 1e5 else 2)


def _print_reports(out: Console, reports: list[ClaimReport], seed: int, *, points: bool = False) -> None:
    from .tables import table
    from .trends import print_trends

    columns = ("claim and form", "verdict", "decided", "vacuous", "least slack", "median")
    listing = table(*columns, right=(2, 3, 4, 5))
    listing.columns[0].no_wrap = listing.columns[1].no_wrap = True
    for report in reports:
        listing.add_row(report.id)
        measured = sum(v.trend is not None for v in report.variants)
        if measured:
            listing.add_row(f"  {measured} trends, below", painted("MEASURED"))
        for v in report.variants:
            if v.trend is not None:
                continue
            decided = f"{v.decided}/{v.instances}"
            least, median = _slack(v.min_slack), _slack(v.median_slack)
            listing.add_row(f"  {v.name}", painted(v.verdict.value), decided, str(v.vacuous or ""), least, median)
    out.print(listing)
    print_trends(out, reports, points=points)
    for report in reports:
        for v in report.variants:
            _explain(out, report, v)
        _print_mutants(out, report)
    total = sum(report.seconds for report in reports)
    plural = "claim" if len(reports) == 1 else "claims"
    slacks = any(v.trend is None for report in reports for v in report.variants)
    note = " Slack: bound / bounded; below 1 only where a draw fails." if slacks else ""
    out.print(f"{len(reports)} {plural}, seed {seed}, {total:.1f} s of work.{note}")


def _explain(out: Console, report: ClaimReport, v: VariantReport) -> None:
    """What a person must know beyond the table: a violation in full, or why nothing or little was decided."""
    from rich.markup import escape

    name = f"{report.id} ({v.name})"
    if v.verdict.value in ("VIOLATED", "REFUTED"):
        out.print(f"\n[bold red]{name} is {v.verdict.value}[/bold red]: {escape(v.reason)}")
        if v.left is not None:
            out.print(f"  left  {v.left!r}\n  right {v.right!r}", markup=False)
        out.print(f"  reproduce: {report.reproduce(v)}", markup=False, soft_wrap=True)
    elif (report.mutants or report.reference) and (below := report.starved(v)):
        out.print(f"[bold red]below its floor[/bold red]: {escape(below)}")
    elif v.verdict.value in ("UNDECIDED", "VACUOUS"):
        reason = v.reason or ("" if v.instances else "it is not about a data matrix, so this X gives no instance of it")
        if reason:
            out.print(f"  {name} {v.verdict.value.lower()}: {reason}", markup=False)


def _print_mutants(out: Console, report: ClaimReport) -> None:
    """One line when every false neighbour was refuted; else each survivor, and what to think of it."""
    from verification.report.typed import typed

    if not report.mutants:
        return
    survivors = [m for m in report.mutants if not m.refuted]
    count = len(report.mutants) - len(survivors)
    plural = "mutant" if len(report.mutants) == 1 else "mutants"
    out.print(f"{report.id}: {count} of {len(report.mutants)} {plural} refuted, as they should be.", markup=False)
    for m in survivors:
        out.print(f"[bold red]{report.id}: mutant {m.name} SURVIVES[/bold red] ({m.report.verdict.value})")
        out.print(f"  {typed(m.why)}", markup=False)
        out.print("  Either it is true, or the instances are too tame to tell: add an extremal one.", markup=False)


def _explain_mutants(out: Console, reports: list[ClaimReport], data: str | None) -> None:
    """What `--mutants` could not do."""
    for report in reports:
        if not report.mutants:
            told = f"{report.id} has no mutants: nothing shows that its check would notice an error."
            out.print(told, markup=False, soft_wrap=True)
    if data is not None and any(report.mutants for report in reports):
        out.print("Mutants were tried on drawn instances: on one data set a false statement may hold.", markup=False)


def _one_instance(slug: str, text: str, *, as_json: bool, output: str | None, no_color: bool) -> int:
    """Judge one instance in full: what a reproduction command does."""
    from jacspec._jit import serial_blas
    from verification.claim import Kind, check
    from verification.claims import load
    from verification.instances import parse_spec
    from verification.own_claims import blamed
    from verification.verify import Options, verify_claim

    claim, spec = load(slug), parse_spec(text)
    if set(claim.kinds) == {Kind.ASYMPTOTIC}:
        from jacspec import InputError

        raise InputError("--instance", repr(text), f"a claim about single instances; {slug} is about growing sizes")
    if {Kind.PROBABILITY, Kind.MEAN} & set(claim.kinds):
        from dataclasses import replace

        seed = int(spec.get("seed", 0))
        alone = replace(claim, extremal=(spec,))
        with blamed(slug):
            report = verify_claim(alone, Options(seed=seed, examples=0))
        if as_json:
            write_json({"schema": "jacspec.verify/1", "seed": seed, "claims": [report.to_json()]}, output)
        else:
            with console(output, no_color) as out:
                _print_reports(out, [report], seed)
        return exit_code([report])
    with blamed(slug), serial_blas:  # as in the run that found it, so that every bit is the same
        records = check(claim, claim.domain.build(spec, 0))
    return show_records(slug, records, {"spec": dict(spec)}, as_json=as_json, output=output, no_color=no_color)


def _junit(reports: list[ClaimReport]) -> str:
    """JUnit XML: a test case per variant; vacuous and undecided ones are skipped, with their reason."""
    from xml.etree import ElementTree

    total = sum(len(r.variants) for r in reports)
    bad = sum(v.verdict.value in ("VIOLATED", "REFUTED") for r in reports for v in r.variants)
    suite = ElementTree.Element("testsuite", name="jacspec", tests=str(total), failures=str(bad), errors="0")
    for report in reports:
        for v in report.variants:
            seconds = f"{report.seconds / len(report.variants):.3f}"
            case = ElementTree.SubElement(suite, "testcase", classname=report.id, name=v.name, time=seconds)
            if v.verdict.value in ("VIOLATED", "REFUTED"):
                failure = ElementTree.SubElement(case, "failure", message=v.verdict.value)
                failure.text = f"{v.reason}\n{report.reproduce(v)}"
            elif v.verdict.value in ("UNDECIDED", "VACUOUS"):
                ElementTree.SubElement(case, "skipped", message=f"{v.verdict.value}: {v.reason}")
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
