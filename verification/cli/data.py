"""`jacspec constants` and `jacspec widths`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jacspec.widths import Options

from . import completion
from .common import (
    Reading,
    activation_option,
    command,
    console,
    data_options,
    output_options,
    stages,
    write_json,
)
from .tables import table
from .text import count, number, radius, rounded_up, shown

if TYPE_CHECKING:
    from rich.console import Console

    from jacspec.constants import Constants

F = TypeVar("F", bound=Callable[..., Any])

#: Coefficients mu_r that are reported unless told otherwise.
HERMITE = 10


def _theorem_options(command: F) -> F:
    for option in reversed(
        [
            activation_option(
                "Repeatable (default softplus, tanh, relu); also leaky_relu:slope=0.2 and expr:x*tanh(x).",
                multiple=True,
            ),
            click.option(
                "--delta", type=float, default=1.0, show_default=True, help="Misfit slack, paper and explicit."
            ),
            click.option(
                "--nu", type=float, default=2.0, show_default=True, help="SGD fails with probability 1/nu more."
            ),
            click.option(
                "--failure", type=float, default=0.05, show_default=True, help="Total failure probability, sharp forms."
            ),
            click.option(
                "--eta-bar", type=float, default=0.0, show_default=True, help="Step size of the sharp forms, 0 to 1."
            ),
            click.option(
                "--tolerance", type=float, default=1e-3, show_default=True, help="Relative residual to iterate to."
            ),
            click.option("--rigorous", is_flag=True, help="Prove every constant: radii become proofs."),
        ]
    ):
        command = option(command)
    return command


def _compute(
    data: str, reading: Reading, seed: int, quiet: bool, as_json: bool, hermite: int = HERMITE, **o: Any
) -> Constants:
    with stages(quiet or as_json) as say:
        from jacspec.activations import activation
        from jacspec.constants import DEFAULT_ACTIVATIONS, check_options, data_constants

        options = check_options(
            Options(
                delta=o["delta"],
                nu=o["nu"],
                failure=o["failure"],
                eta_bar=o["eta_bar"],
                tolerance=o["tolerance"],
            )
        )
        functions = [activation(name) for name in o["names"] or DEFAULT_ACTIVATIONS]
        say("reading data")
        dataset = reading.load(data)
        return data_constants(
            dataset, functions, options=options, hermite_count=hermite, seed=seed, rigorous=o["rigorous"], progress=say
        )


def _data_lines(report: Constants) -> list[str]:
    data, structure = report.dataset, report.dataset.structure
    rank = f"rank {structure.rank}" + ("" if structure.rank_proved else " at least")
    lines = [f"[bold]{data.source}[/bold]: n = {data.n} rows in R^{data.d}, {rank}"]
    for name, pairs in (("equal", structure.repeated), ("antipodal", structure.antipodal)):
        if pairs:
            first = ", ".join(f"{i} and {j}" for i, j in pairs[:3])
            more = f" and {len(pairs) - 3} more pairs" if len(pairs) > 3 else ""
            advice = " (--drop-repeated keeps one of each)" if name == "equal" else ""
            lines.append(f"rows {name} up to scale: {first}{more}{advice}")
    return lines


# -- constants ------------------------------------------------------------------------------------------------------


@command(epilog="Example:  jacspec constants sklearn:digits --normalize -a softplus -a tanh")
@click.argument("data", shell_complete=completion.data)
@data_options
@_theorem_options
@click.option("--hermite", type=int, default=HERMITE, show_default=True, help="How many coefficients mu_r to report.")
@click.option("--digits", type=int, default=None, help="Print mu_r with this many proved digits.")
@output_options
def constants(
    data: str, reading: Reading, digits: int | None, as_json: bool, no_color: bool, quiet: bool, **options: Any
) -> None:
    """Every constant of DATA and of each activation, with radii.

    DATA is a file (.npy, .npz::key, .csv, .mat::name, .mtx, .parquet,
    .safetensors::name) or a spec: sphere:n=50,d=20,seed=0, gaussian:...,
    clusters:n=60,d=10,groups=6,angle=0.1, sklearn:iris. Rows are samples.
    """
    check_digits(digits)
    report = _compute(data, reading, quiet=quiet, as_json=as_json, **options)
    if as_json:
        document = report.to_json()
        for name, found in hermite_digits(report, options["hermite"], digits).items():
            document["activations"][name]["hermite_digits"] = found
        write_json(document, options["output"])
        return
    with console(options["output"], no_color) as out:
        print_constants(out, report)
        print_digits(out, hermite_digits(report, options["hermite"], digits), digits)
        if not quiet:
            out.print(
                f"\nNext: jacspec widths {reading.same(data, options['names'])}   (what each theorem asks)",
                markup=False,
                soft_wrap=True,
            )


def check_digits(digits: int | None) -> None:
    """Refuse a number of digits that nobody can mean."""
    from jacspec._checks import check_int

    if digits is not None:
        check_int("--digits", digits, minimum=1, maximum=1000)


def hermite_digits(report: Constants, many: int, digits: int | None) -> dict[str, list[str]]:
    """Proved digits of mu_0, mu_1, ... of each built-in activation; nothing where none are asked for."""
    from jacspec.hermite import hermite_enclosures

    found = {}
    for name, a in report.activations.items():
        if digits is not None and a.phi.builtin:
            balls = hermite_enclosures(a.phi, many, digits=digits + 3)
            found[name] = ["0" if b.is_zero() else b.str(digits, radius=False) for b in balls]
    return found


def print_digits(out: Console, found: Mapping[str, Sequence[str]], digits: int | None) -> None:
    """What `hermite_digits` gives, a line for each coefficient."""
    for name, texts in found.items():
        out.print(f"\n[bold]{name}[/bold]: mu_r to {digits} digits")
        for r, text in enumerate(texts):
            out.print(f"  mu_{r} = {text}")


def print_constants(out: Console, report: Constants) -> None:
    s = report.spectrum
    for line in _data_lines(report):
        out.print(line)
    listing = table("constant of X", "value", "radius", "how", right=(1, 2))
    for name, e in (
        ("||X||", s.spectral_norm),
        ("sigma_min(X)", s.sigma_min),
        ("||X*X||", s.khatri_rao_norm),
        ("sigma_min(X*X)", s.khatri_rao_sigma_min),
        ("kappa(X)", s.kappa),
        ("separation", s.separation),
    ):
        listing.add_row(name, shown(e), radius(e), e.note)
    two_four = s.norm_2_to_4_squared
    listing.add_row(
        "||X||^2 (2 to 4)",
        f"{two_four.lower * (1 - 1e-4):.4g} .. {rounded_up(two_four.upper, 4)}",
        "",
        "iteration .. Hadamard square",
    )
    out.print(listing)

    listing = table("constant", *report.activations, right=tuple(range(1, len(report.activations) + 1)))
    everyone = list(report.activations.values())
    listing.add_row("B1 = sup|phi'|", *(shown(a.phi.B1, 10) for a in everyone))
    listing.add_row("B2 = sup|phi''|", *(shown(a.phi.B2, 10) for a in everyone))
    listing.add_row("mu_phi = mu_1", *(shown(a.hermite.mu_phi, 10) for a in everyone))
    listing.add_row("E phi'(g)^2", *(shown(a.hermite.mean_derivative_square, 10) for a in everyone))
    listing.add_row("Var phi(g)", *(shown(a.hermite.variance, 10) for a in everyone))
    listing.add_row("lambda(X)", *(shown(a.hidden.smallest, 10) for a in everyone))
    listing.add_row("  radius", *(radius(a.hidden.smallest, 10) for a in everyone))
    listing.add_row("lambda, output layer", *(shown(a.output.smallest, 10) for a in everyone))
    listing.add_row("  radius", *(radius(a.output.smallest, 10) for a in everyone))
    out.print(listing)
    for a in everyone:
        for name, e in (("lambda(X)", a.hidden.smallest), ("lambda, output layer,", a.output.smallest)):
            if e.lower <= 0:
                verb = "is 0" if e.exact_zero else "may be 0"
                out.print(f"{a.phi.name}: {name} {verb}: {e.note}", markup=False)


# -- widths ---------------------------------------------------------------------------------------------------------


@command(epilog="Example:  jacspec widths sphere:n=50,d=20 -a softplus --eta-bar 1")
@click.argument("data", shell_complete=completion.data)
@data_options
@_theorem_options
@output_options
def widths(data: str, reading: Reading, as_json: bool, no_color: bool, quiet: bool, **options: Any) -> None:
    """Which theorem asks for which width, step size and rate on DATA.

    Paper, explicit and sharp forms side by side, then other published
    theorems on the same data. DATA as for `jacspec constants`.
    """
    report = _compute(data, reading, quiet=quiet, as_json=as_json, **options)
    if as_json:
        document = report.to_json()
        document["schema"] = "jacspec.widths/1"
        del document["spectrum"]
        for a in document["activations"].values():
            for key in [key for key in a if key != "widths"]:
                del a[key]
        write_json(document, options["output"])
        return
    with console(options["output"], no_color) as out:
        _print_widths(out, report)
        if not quiet:
            out.print("\nNext: jacspec claims   (the statements behind these rows)", markup=False)


def _print_widths(out: Console, report: Constants) -> None:
    for line in _data_lines(report):
        out.print(line)
    if report.dataset.y is None:
        out.print(f"no labels: step sizes assume ||y|| = sqrt(n) = {number(report.y_norm)}")
    for a in report.activations.values():
        columns = ("theorem and form", "width k", "step", "rate", "steps", "fails")
        listing = table(*columns, title=f"\n{a.phi.name}", right=(1, 2, 3, 4, 5))
        listing.columns[0].no_wrap = True
        notes: dict[str, list[str]] = {}
        previous = ""
        for row in a.widths:
            if row.claim != previous:
                listing.add_row(row.claim)
            previous = row.claim
            form = row.variant if row.role == "sufficient" else "needed"
            if row.reason:
                void = " is void" if row.verdict == "VACUOUS" else ""
                notes.setdefault(f"{void}: {row.reason}", []).append(f"{row.claim} ({form})")
            if row.verdict == "VACUOUS":
                listing.add_row(f"  {form}", "void")
                continue
            listing.add_row(
                f"  {form}",
                count(row.k),
                _maybe(row.step_size),
                _maybe(row.rate),
                "" if row.iterations is None else count(row.iterations),
                _maybe(row.failure_probability, 2),
            )
        out.print(listing)
        for note, names in notes.items():
            text = note.replace(" is void", " are void") if len(names) > 1 else note
            out.print(f"  {', '.join(names)}{text}", markup=False)
    _print_literature(out, report)


def _maybe(value: float | None, digits: int = 3) -> str:
    return "" if value is None else number(value, digits)


def _print_literature(out: Console, report: Constants) -> None:
    """Laws whose constants the sources drop: an order times an unknown C, in every cell, never a width."""
    title = "\nOther published theorems: constants dropped by the sources, so no widths"
    listing = table("theorem (arXiv)", "trains", "law", "order here", title=title)
    listing.columns[2].no_wrap = listing.columns[3].no_wrap = True
    reasons: dict[str, list[str]] = {}
    for row in report.literature:
        theorem = row.theorem
        first, *others = theorem.authors.split(", ")
        name = f"{first} et al. {theorem.year}" if len(others) > 1 else f"{theorem.authors} {theorem.year}"
        if row.verdict == "VACUOUS":
            reasons.setdefault(row.reason, []).append(name)
        # Without its parenthesis the label still ends in "x C": the column's title says what that means.
        order = "void" if row.verdict == "VACUOUS" else row.label.split(" (")[0]
        listing.add_row(f"{name} ({theorem.arxiv})", theorem.trains, theorem.law, order)
    out.print(listing)
    for reason, names in reasons.items():
        out.print(f"  {', '.join(dict.fromkeys(names))} void: {reason}", markup=False)
