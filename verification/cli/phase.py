"""`jacspec phase`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from jacspec._files import atomic

from . import completion
from .common import (
    Files,
    Written,
    activation_option,
    command,
    console,
    figure_option,
    output_options,
    put,
    stages,
    write_json,
)
from .text import count, number

if TYPE_CHECKING:
    from rich.console import Console

    from verification.store import Store
    from verification.sweep import Diagram, Plan
    from verification.sweep.sweep import Progress
    from verification.sweep.theorems import Asked


@command(epilog="Example:  jacspec phase --certify --store phase.db --plot phase.png")
@click.option("--d", type=int, default=20, show_default=True, help="Dimension (of a file: its columns).")
@click.option("--n", "n_text", default="20:300:20", show_default=True, metavar="SIZES", help="5,10 or 20:300:20 or "
              "20:2000:log9.")  # fmt: skip
@click.option("--k", "k_text", default="2:30:2", show_default=True, metavar="WIDTHS", help="Even, in the same way.")
@click.option("--trials", type=int, default=10, show_default=True, help="Of every cell.")
@click.option("--most", type=int, metavar="M", help="Of a cell that is undecided (default: trials + 16).")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Error level of each interval.")
@activation_option("As for `jacspec constants`.", default="softplus", show_default=True)
@click.option(
    "--algorithm", type=click.Choice(["gd", "sgd"]), default="gd", show_default=True, help="All rows a step, or one."
)
@click.option(
    "--data",
    default="sphere",
    show_default=True,
    metavar="DATA",
    shell_complete=completion.data,
    help="sphere, gaussian, clusters:groups=6,angle=0.1, or a file whose rows are sampled.",
)
@click.option(
    "--labels",
    type=click.Choice(["normal", "signs", "own"]),
    default="normal",
    show_default=True,
    help="Drawn, or those of the data.",
)
@click.option("--steps", "steps_text", default="20000", show_default=True, metavar="STEPS", help="Budget: a number, "
              "or 2n^2, which grows with n; SGD: passes over the data.")  # fmt: skip
@click.option("--tolerance", type=float, default=1e-3, show_default=True, help="Relative residual that is a fit.")
@click.option("--eta", default="auto", show_default=True, metavar="NUMBER", help="Step size; auto: 1/||J(W_0)||^2; "
              "theorem: 1/(2 beta^2).")  # fmt: skip
@click.option("--certify", is_flag=True, help="Prove each fit: zero loss is attained near the end of the run.")
@click.option("--polish", type=int, default=10, show_default=True, help="Gauss-Newton steps that a proof may need.")
@click.option("--below", is_flag=True, help="Measure cells with k d < n too, which are impossible.")
@click.option("--within", type=int, metavar="UNITS", help="Only widths up to n/d + UNITS.")
@click.option("--store", type=Written(), metavar="FILE", help="Keep every trial in FILE.")
@click.option("--resume", is_flag=True, help="Go on with a store that holds trials.")
@click.option("--workers", type=int, metavar="N", help="Processes (default: one for each processor).")
@click.option("--scheduler", metavar="ADDRESS", help="Run on a dask cluster, such as tcp://host:8786.")
@click.option("--theorems/--no-theorems", default=True, help="Whether to compute the widths that theorems ask for.")
@figure_option("Draw the diagram")
@click.option("--export", type=Written("csv", "parquet"), metavar="FILE", help="Write all trials (.csv or .parquet).")
@output_options
def phase(
    d: int,
    n_text: str,
    k_text: str,
    trials: int,
    most: int | None,
    alpha: float,
    name: str,
    algorithm: str,
    data: str,
    labels: str,
    steps_text: str,
    tolerance: float,
    eta: str,
    certify: bool,
    polish: int,
    below: bool,
    within: int | None,
    store: str | None,
    resume: bool,
    workers: int | None,
    scheduler: str | None,
    theorems: bool,
    plot: str | None,
    export: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    output: str | None,
    no_color: bool,
) -> int:
    """The phase diagram: which random problems does training fit?

    Over a grid of sizes n and widths k. A trial is fitted when its
    relative residual falls to the tolerance within the budget, and
    proved (--certify) when the end of the run is certified. Where
    k d < n almost no labels can be interpolated (a theorem), and
    nothing is run. Cells whose share is not clearly above or below
    one half get more trials. Ctrl-C keeps what is in the store.
    """
    from jacspec import InputError
    from jacspec._checks import check_int

    if resume and store is None:
        raise InputError("--resume", "no --store", "--store FILE, the store to go on with")
    if workers is not None:
        check_int("--workers", workers, minimum=1)
        if scheduler is not None:
            raise InputError("--workers", workers, "either --workers or --scheduler")
    plan = _plan(
        d=d, activation=name, data=data, labels=labels, algorithm=algorithm, eta=_step_size(eta),
        steps=_steps(steps_text), tolerance=tolerance, certify=certify, polish=polish, seed=seed,
        grid=(n_text, k_text), trials=trials, most=most, alpha=alpha, below=below,
        within=within,
    )  # fmt: skip
    from verification.store import Store
    from verification.sweep.sweep import Progress

    silent = quiet or as_json
    progress, engine_name, interrupted, files = Progress(), "", False, Files()
    with Store(store, plan.config, resume=resume) as kept:
        try:
            engine_name = _sweep(plan, kept, progress, workers, scheduler, silent)
        except KeyboardInterrupt:
            interrupted = True
        diagram, disagreements = _diagram(plan, kept), kept.disagreements
        files.say(store, "Stored in")
        files.write(export, "--export", "Exported in", lambda path: _export(path, kept))
    asked: tuple[Asked, ...] = ()
    if theorems and not interrupted and any(cell.trials for cell in diagram.cells):
        with stages(silent) as say:
            from verification.sweep.theorems import asked_widths

            asked = asked_widths(plan, say)
    files.write(plot, "--plot", "Drawn in", lambda path: _draw(path, diagram, asked))
    if as_json:
        write_json(_document(diagram, asked, progress, engine_name), output)
    else:
        with console(output, no_color) as out:
            _print(out, diagram, asked, progress, engine_name)
            if disagreements:
                out.print(
                    f"[yellow]warning[/yellow]: {disagreements} trials came twice with other bits: two kinds of "
                    "processors are at work on this store"
                )
            files.print(out)
            if not quiet and not interrupted:
                out.print(_next(plot, store, certify), markup=False)
    files.settle()
    if interrupted:
        how = "--resume goes on with the store" if store is not None else "with --store nothing would be lost"
        click.echo(f"jacspec: interrupted after {progress.trials} trials; {how}", err=True)
        return 130
    return 0 if any(cell.trials or cell.impossible for cell in diagram.cells) else 5


def _step_size(text: str) -> Any:
    from jacspec import InputError

    word = text.strip().lower()
    if word in ("auto", "theorem"):
        return word
    try:
        return float(text)
    except ValueError:
        raise InputError("--eta", repr(text), "auto, theorem or a positive number") from None


def _steps(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text  # the configuration knows what grows with n


def _plan(
    *,
    grid: tuple[str, str],
    trials: int,
    most: int | None,
    alpha: float,
    below: bool,
    within: int | None,
    **values: Any,
) -> Plan:
    """The plan as it was typed; errors name options."""
    from jacspec import InputError
    from verification.sweep import Configuration, Plan, values_of

    try:
        config = Configuration(**values).checked()
        plan = Plan(
            config,
            values_of(grid[0], "n"),
            values_of(grid[1], "k", even=True),
            trials=trials,
            most=trials + 16 if most is None else most,
            alpha=alpha,
            below=below,
            within=within,
        )
        for n in (plan.n[0], plan.n[-1]):
            config.problem(n, plan.k[0], 0)  # what the data cannot do is said before anything runs
    except InputError as error:
        known = {*Configuration.names(), "n", "k", "trials", "most", "alpha", "within"}
        argument = f"--{error.argument}" if error.argument in known else error.argument
        raise InputError(argument, str(error.value), error.expected) from None
    return plan


def _sweep(
    plan: Plan, store: Store, progress: Progress, workers: int | None, scheduler: str | None, silent: bool
) -> str:
    """Run what is missing; returns where it ran. `progress` tells how far, whatever happens."""
    from verification.sweep.engines import engine_for
    from verification.sweep.sweep import Sweep

    wanted = plan.wanted(store.rows())
    progress.found = store.count()
    if not wanted:
        return "the store"
    store.need_writable()
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with _bar(silent) as report, engine_for(workers, scheduler) as engine:
        Sweep(plan, store, engine, report, progress).run()
        return engine.name


@contextmanager
def _bar(silent: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Work done and the time that is left, on a terminal only."""
    if silent or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    def whole() -> Column:  # on a narrow terminal the bar gives way, and the times stay readable
        return Column(no_wrap=True, min_width=7)

    bar = BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=40))
    columns = (bar, TaskProgressColumn(), TimeElapsedColumn(whole()), TextColumn("left at most"),
               TimeRemainingColumn(table_column=whole()), TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=120) as shown:
        task = shown.add_task("starting", total=None)

        def report(p: Any) -> None:
            text = f"{p.found + p.trials} trials, {p.rate:.1f} a second"
            shown.update(task, completed=p.done, total=p.total, description=text)

        yield report


def _diagram(plan: Plan, store: Store) -> Diagram:
    from verification.sweep import Diagram

    return Diagram.of(plan, store.rows())


def _export(path: str, store: Store) -> None:
    from verification.store import write_csv, write_parquet

    binary = path.endswith(".parquet")
    with atomic(path, argument="--export", binary=binary) as handle:
        (write_parquet if binary else write_csv)(store.rows(), store.config, handle)


def _draw(path: str, diagram: Diagram, asked: Sequence[Asked]) -> None:
    from verification.plots import render
    from verification.plots.phase import phase_figure
    from verification.plots.style import need_format

    put(path, "--plot", render(phase_figure(diagram, asked, _title(diagram)), need_format(path), dpi=200))


def _title(diagram: Diagram) -> str:
    config = diagram.plan.config
    size = config.eta if isinstance(config.eta, str) else f"{config.eta:g}"
    how = {"gd": "GD", "sgd": "SGD"}[config.algorithm]
    budget = f"{config.steps} {'steps' if config.algorithm == 'gd' else 'passes'}"
    return (
        f"{config.data}, d = {config.d}, {config.activation}, {config.labels} labels: {how}, {budget}, eta {size},\n"
        f"fitted: residual below {config.tolerance:g} of its start; seed {config.seed}"
        f"{'' if diagram.complete else ' (incomplete)'}"
    )


def _document(diagram: Diagram, asked: Sequence[Asked], progress: Progress, engine: str) -> dict[str, Any]:
    from jacspec import __version__

    return {
        "schema": "jacspec.phase/1",
        "version": __version__,
        "seed": diagram.plan.config.seed,
        **diagram.to_json(),
        "theorems": [a.to_json() for a in asked],
        "run": {
            "engine": engine,
            "trials": progress.trials,
            "found": progress.found,
            "seconds": progress.seconds,
            "trials_per_second": progress.rate,
        },
    }


def _print(out: Console, diagram: Diagram, asked: Sequence[Asked], progress: Progress, engine: str) -> None:
    from .tables import plain, table

    config, cells = diagram.plan.config, diagram.cells
    out.print(
        f"[bold]{config.data}[/bold], d = {config.d}, {config.labels} labels, {config.activation}", highlight=False
    )
    how = {"gd": "gradient descent", "sgd": "SGD, one sample a step"}[config.algorithm]
    unit = "steps" if config.algorithm == "gd" else "passes"
    out.print(f"{how}, at most {config.steps} {unit} to a relative residual of {config.tolerance:g}", markup=False)
    made = f"{progress.trials} trials on {engine} in {progress.seconds:.1f} s ({progress.rate:.1f} a second)"
    found = f"{progress.found} trials were there already" if progress.found else ""
    out.print("; ".join(part for part in (made if progress.trials else "", found) if part) + ".", markup=False)
    verdicts = {word: sum(cell.verdict == word for cell in cells) for word in _VERDICTS}
    grid = plain(2)
    for word, text in _VERDICTS.items():
        if verdicts[word]:
            grid.add_row(f"{verdicts[word]} cells", text.format(level=f"{1 - diagram.plan.alpha:g}"))
    if config.certify:
        fitted, certified = sum(c.fitted for c in cells), sum(c.certified or 0 for c in cells)
        grid.add_row(f"{certified} of {fitted}", "fitted trials are proved: zero loss is attained near their ends")
        grid.add_row(f"{sum(c.proved for c in cells)} cells", "proved in every trial")
    out.print(grid)
    columns = ["n", "half fitted at k", "k d / n there", f"band ({1 - diagram.plan.alpha:g})", "least with k d >= n"]
    listing = table(*columns, right=(0, 1, 2, 3, 4))
    for t in diagram.transitions:
        at = _side(diagram, t.n) if t.k is None else f"{t.k:.1f}"
        ratio = "-" if t.k is None else f"{t.k * config.d / t.n:.2f}"
        band = f"{'..' if t.low is None else t.low} - {'..' if t.high is None else t.high}"
        listing.add_row(str(t.n), at, ratio, band, str(2 * -(-t.n // (2 * config.d))))
    out.print(listing)
    if asked:
        last = max(a.n for a in asked)
        top = max(diagram.plan.k)
        for a in asked:
            if a.n == last:
                if a.k is None:
                    words = f"says nothing at n = {last}: {a.reason}"
                else:
                    words = (
                        f"asks for k = {count(a.k)} at n = {last}: {number(a.k / top, 2)} times the top of the chart"
                    )
                out.print(f"  {a.claim} ({a.variant}) {words}", markup=False)


def _side(diagram: Diagram, n: int) -> str:
    """Where the transition is when the grid does not contain it."""
    shares = [(cell.k, cell.fraction) for cell in diagram.column(n) if cell.fraction is not None]
    if not shares:
        return "-"
    return f"< {shares[0][0]}" if shares[0][1] >= 0.5 else f"> {shares[-1][0]}"


_VERDICTS = {
    "impossible": "impossible: k d < n, and the labels have a density (phase-transition-lower)",
    "fits": "fit more often than not (level {level} each)",
    "open": "open: the interval of the share contains 1/2",
    "fails": "do not fit within the budget more often than not (level {level} each)",
    "unmeasured": "not measured",
}


def _next(plot: str | None, store: str | None, certified: bool) -> str:
    if not certified:
        return "Next: add --certify   (prove every fit)"
    if plot is None:
        return "Next: add --plot phase.png   (the diagram as a picture)"
    return (
        "Next: add --store phase.db   (every trial, kept)" if store is None else "Next: jacspec verify phase-transition"
    )
