"""`jacspec scaling`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .common import Files, command, console, figure_option, put, reading_options, stages, write_json

if TYPE_CHECKING:
    from rich.console import Console

    from verification.sweep import Diagram, Scaling
    from verification.trend import Fit


@command(epilog="Example:  jacspec scaling 10.db 20.db --plot scaling.png")
@click.argument("stores", nargs=-1, required=True, type=click.Path(dir_okay=False), metavar="STORE...")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Error level of each interval.")
@figure_option("Draw the widths")
@reading_options
def scaling(
    stores: tuple[str, ...],
    alpha: float,
    plot: str | None,
    as_json: bool,
    quiet: bool,
    output: str | None,
    no_color: bool,
) -> None:
    """How the width at the transition grows with n.

    Each STORE is what `jacspec phase --store` kept, one for each d. At
    every size the width k at which half of the problems are fitted is
    found with an interval, and through these widths go a power of n and
    a line, of each d and of all together. The stores are only read.
    A budget that grows with n makes them comparable: `jacspec phase
    --d 10 --n 20:160:log7 --within 8 --steps 2n^2 --store 10.db`.
    """
    from jacspec._checks import check_real

    check_real("--alpha", alpha, above=0, below=1)
    from verification.sweep import Scaling

    with stages(quiet or as_json) as say:
        diagrams = []
        for path in stores:
            say(f"reading {path}")
            diagrams.append(_diagram(path))
        say("fitting")
        found = Scaling.of(diagrams, 1 - alpha)
    files = Files()
    files.write(plot, "--plot", "Drawn in", lambda path: _draw(path, found))
    if as_json:
        write_json(_document(found, stores), output)
        files.settle()
        return
    with console(output, no_color) as out:
        _print(out, found)
        files.print(out)
        if not quiet:
            out.print(
                "Next: jacspec verify phase-transition   (the claim, with runs of its own)"
                if plot is not None
                else "Next: add --plot scaling.png   (the widths as a picture)",
                markup=False,
            )
    files.settle()


def _diagram(path: str) -> Diagram:
    from jacspec import InputError
    from verification.store import read_store
    from verification.sweep import Diagram, Plan

    try:
        config, rows = read_store(path)
    except InputError as error:
        raise InputError("STORE", error.shown, error.expected) from None
    if not rows:
        raise InputError("STORE", repr(path), "a store that holds trials")
    return Diagram.of(Plan.around(config, rows), rows)


def _document(found: Scaling, stores: tuple[str, ...]) -> dict[str, Any]:
    from jacspec import __version__
    from verification.sweep.theorems import asked_power

    claim, power = asked_power(found.diagrams[0].plan.config)
    theorem = {"claim": claim, "exponent": power, "outside": found.laws.outside(power)}
    return {"schema": "jacspec.scaling/1", "version": __version__, "stores": list(stores), **found.to_json(),
            "theorem": theorem}  # fmt: skip


def _draw(path: str, found: Scaling) -> None:
    from verification.plots import render, scaling_figure
    from verification.plots.style import need_format

    put(path, "--plot", render(scaling_figure(found, _title(found)), need_format(path), dpi=200))


def _title(found: Scaling) -> str:
    config = found.diagrams[0].plan.config
    how = {"gd": ("GD", "steps"), "sgd": ("SGD", "passes")}[config.algorithm]
    size = config.eta if isinstance(config.eta, str) else f"{config.eta:g}"
    return (
        f"{config.data}, {config.activation}, {config.labels} labels: {how[0]}, at most {config.steps} {how[1]}, "
        f"eta {size}\nfitted: residual below {config.tolerance:g} of its start"
    )


def _print(out: Console, found: Scaling) -> None:
    from verification.sweep.theorems import asked_power

    from .tables import table

    config = found.diagrams[0].plan.config
    out.print(_title(found), markup=False)
    columns = ("d", "sizes n", "exponent of n", "misfit", "slope of k d", "misfit", "k - n/d")
    listing = table(*columns, right=tuple(range(len(columns))))
    for curve in found.curves:
        sizes = f"{curve.sizes[0].n} - {curve.sizes[-1].n} ({len(curve.sizes)})"
        laws = curve.laws
        listing.add_row(str(curve.d), sizes, _shown(laws.exponent), f"{laws.power:.1f}", _shown(laws.slope),
                        f"{laws.line:.1f}", _shown(curve.excess, 1))  # fmt: skip
    if len(found.curves) > 1:
        laws = found.laws
        listing.add_row(
            "all", "", _shown(laws.exponent), f"{laws.power:.1f}", _shown(laws.slope), f"{laws.line:.1f}", ""
        )
    out.print(listing)
    for curve in found.curves:
        if curve.left_out:
            sizes = ", ".join(map(str, curve.left_out))
            out.print(f"left out at d = {curve.d}: n = {sizes} (no cells that surely fail below cells that surely fit)")
    claim, power = asked_power(config)
    out.print(
        f"An exponent of 1, k d of order n, is {_where(found, 1)}; {power}, as {claim} asks for at fixed d, is "
        f"{_where(found, power)}.",
        markup=False,
    )
    out.print(
        f"Intervals of level {found.level:g}, each by itself. exponent: of a power law, without and with an offset; "
        "misfit: squared residuals over what is expected, 1 where the law fits; slope: of a line k d = L n + C; "
        "k - n/d: its mean. It is a trend, not a verdict.",
        markup=False,
    )
    if isinstance(config.steps, int):
        out.print(
            f"[yellow]warning[/yellow]: the budget is {config.steps} at every n. Problems get harder as n grows, so "
            "that part of the exponent is the budget's: --steps 2n^2 (jacspec phase) grows with n"
        )


def _where(found: Scaling, exponent: float) -> str:
    outside = found.laws.outside(exponent)
    return "inside the interval" if outside == 0 else f"outside by {outside:.1f} half-widths"


def _shown(fit: Fit, digits: int = 2) -> str:
    return f"{fit.value:.{digits}f} {fit.interval(digits)}"
