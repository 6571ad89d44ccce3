"""`jacspec train`."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from . import completion
from .common import (
    Files,
    Reading,
    Written,
    activation_option,
    command,
    console,
    data_options,
    figure_option,
    output_options,
    put,
    stages,
    write_json,
)
from .text import count, number, rounded_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from jacspec import Guarantee, Trajectory
    from jacspec.certificates import Certificate
    from jacspec.data import Dataset
    from jacspec.training import State

#: Points of the curves in JSON.
_CURVE = 1000
#: How often a run that is to stop by a certificate looks whether there is one.
_LOOKS = 100


@command(epilog="Example:  jacspec train sphere:n=50,d=20 -a softplus --width 100 --plot run.png")
@click.argument("data", shell_complete=completion.data)
@data_options
@activation_option("As for `jacspec constants`.", default="softplus", show_default=True)
@click.option("--width", type=int, metavar="K", help="Hidden units, even (default: K d about 4 n).")
@click.option(
    "--algorithm", type=click.Choice(["gd", "sgd"]), default="gd", show_default=True, help="All rows a step, or some."
)
@click.option("--trains", type=click.Choice(["hidden", "output"]), default="hidden", show_default=True, help="Layer.")
@click.option("--steps", type=int, default=10_000, show_default=True, help="Budget.")
@click.option("--tolerance", type=float, default=1e-3, show_default=True, help="Relative residual to stop at.")
@click.option("--eta", default="auto", show_default=True, metavar="NUMBER", help="Step size; auto: the theorem's.")
@click.option("--eta-bar", type=float, default=1.0, show_default=True, help="Share of the automatic step size.")
@click.option("--batch", type=int, default=1, show_default=True, help="Samples of a step of SGD.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64", show_default=True, help="Of W.")
@click.option("--stop", type=click.Choice(["certified"]), help="Stop when zero loss nearby is proved.")
@click.option("--checkpoints", type=int, default=8, show_default=True, help="How often to look at J's spectrum.")
@click.option("--bounds/--no-bounds", default=True, help="Whether to compute what the theorems promise.")
@click.option("--nu", type=float, default=2.0, show_default=True, help="SGD's theorems fail with 1/nu more.")
@figure_option("Draw the run")
@click.option("--save", type=Written("npz"), metavar="RUN.npz", help="Keep the run, weights and all.")
@output_options
def train(
    data: str,
    reading: Reading,
    name: str,
    width: int | None,
    algorithm: str,
    trains: str,
    steps: int,
    tolerance: float,
    eta: str,
    eta_bar: float,
    batch: int,
    dtype: str,
    stop: str | None,
    checkpoints: int,
    bounds: bool,
    nu: float,
    plot: str | None,
    save: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    output: str | None,
    no_color: bool,
) -> int:
    """Train on DATA, and hold the run against what the theorems promise.

    One hidden layer, quadratic loss, Gaussian start, balanced output
    weights. DATA as for `jacspec constants`; without labels, random signs.
    Exit code 0, or 5 when the run diverged; Ctrl-C keeps what there is.
    """
    from jacspec import InputError
    from jacspec._checks import check_int, check_real, check_seed

    check_seed("--seed", seed)
    check_int("--checkpoints", checkpoints, minimum=0, maximum=1000)
    check_int("--steps", steps, minimum=0, maximum=10**15)
    check_int("--batch", batch, minimum=1, maximum=10**9)
    check_real("--tolerance", tolerance, at_least=0, below=1)
    check_real("--nu", nu, above=1)
    size = _step_size(eta)
    if stop is not None:
        if trains != "hidden":
            raise InputError("--stop", repr(stop), "--trains hidden: certificates speak of the hidden weights")
        if click.get_current_context().get_parameter_source("tolerance") is ParameterSource.DEFAULT:
            tolerance = 0.0  # or the run would end before there is anything to prove
        checkpoints = max(checkpoints, _LOOKS)

    with stages(quiet or as_json) as say:
        import jacspec
        from jacspec.activations import activation

        phi = activation(name)
        say("reading data")
        loaded, drawn = _labelled(data, reading, seed)
        k = width if width is not None else 2 * math.ceil(2 * loaded.n / loaded.d)
        assert loaded.y is not None
        if bounds:
            from jacspec.guarantees import check_label_size

            check_label_size("labels", loaded.y)
        net = jacspec.ShallowNet.initialize(k, loaded.d, phi, y=loaded.y, seed=seed)
        say("step size, and kernels where they are new")
    marks, rule = _marks(checkpoints, steps), None
    if stop is not None:
        from jacspec.certificates import stop_when_certified

        rule = stop_when_certified(loaded.X, loaded.y)
    with _progress(quiet or as_json) as report:
        run = jacspec.train(
            net,
            loaded.X,
            loaded.y,
            algorithm=algorithm,
            trains=trains,
            eta=size,
            eta_bar=eta_bar,
            steps=steps,
            tolerance=tolerance,
            batch=batch,
            seed=seed,
            every=_every(algorithm, loaded.n, batch, steps),
            checkpoints=marks,
            dtype=dtype,
            stop=rule,
            progress=report,
        )
    files = Files()
    files.write(save, "--save", "Saved to", run.save)
    promised: tuple[Guarantee, ...] = ()
    interrupted = run.status == "interrupted"
    if bounds and not interrupted:
        with stages(quiet or as_json) as say:
            from jacspec.guarantees import guarantees

            options = jacspec.Options(nu=nu)
            constants = jacspec.data_constants(loaded, [phi], y=loaded.y, options=options, seed=seed, progress=say)
            say("what the theorems promise")
            promised = guarantees(run, constants)
    files.write(plot, "--plot", "Drawn in", lambda path: _draw(path, run, promised, loaded, seed))
    if as_json:
        document = _document(run, promised, loaded, seed)
        if rule is not None:
            document["certificate"] = None if rule.certificate is None else rule.certificate.to_json()
        write_json(document, output)
    else:
        with console(output, no_color) as out:
            print_run(out, run, promised, loaded, drawn)
            if rule is not None:
                _print_certificate(out, rule.certificate)
            files.print(out)
            if not quiet and not interrupted:
                out.print(
                    _next(reading.same(data, [name]), plot, save if run.status != "diverged" else None),
                    markup=False,
                    soft_wrap=True,
                )
    files.settle()
    if interrupted:
        click.echo(f"jacspec: {run.reason}", err=True)
        return 130
    return 5 if run.status == "diverged" else 0


def _step_size(text: str) -> Any:
    from jacspec import InputError

    if text.strip().lower() == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise InputError("--eta", repr(text), "auto, or a positive number") from None


def _labelled(data: str, reading: Reading, seed: int) -> tuple[Dataset, bool]:
    """The data with labels, and whether they had to be drawn."""
    loaded = reading.load(data)
    if loaded.y is not None:
        return loaded, False
    return reading.load(data, labels=f"signs:seed={seed}"), True


def _every(algorithm: str, n: int, batch: int, steps: int) -> int | None:
    """`train`'s own spacing of records, but no more than a million of them."""
    own = 1 if algorithm == "gd" else max(1, n // max(1, batch))
    return max(own, math.ceil(steps / 1e6))


def _marks(count: int, steps: int) -> list[int]:
    """`count` checkpoints, the first at the start and the last at the budget, in geometric progression."""
    if count == 0:
        return []
    ratio = max(1, steps) ** (1 / max(1, count - 1))
    return sorted({0, *(min(steps, round(ratio**i)) for i in range(1, count))})


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[State], None] | None]:
    """Steps, relative residual and rate, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def report(state: State) -> None:
            relative = state.residual_norm / state.initial_residual_norm if state.initial_residual_norm else 0.0
            rate = -math.expm1(math.log(relative) / state.step) if state.step and 0 < relative < math.inf else math.nan
            text = f"residual {relative:.2e}  rate {rate:.1e}"
            progress.update(task, completed=state.step, total=state.steps, description=text)

        yield report


def _draw(path: str, run: Trajectory, promised: Sequence[Guarantee], data: Dataset, seed: int) -> None:
    from verification.plots import render, trajectory_figure
    from verification.plots.style import need_format

    put(path, "--plot", render(trajectory_figure(run, promised, title(run, data, seed)), need_format(path)))


def title(run: Trajectory, data: Dataset, seed: int) -> str:
    name = {"gd": "GD", "sgd": "SGD"}[run.algorithm]
    layer = "" if run.trains == "hidden" else ", output layer only"
    return (
        f"{data.source}: n = {data.n}, d = {data.d}, k = {run.start.k}, {run.start.activation.name}, "
        f"{name}{layer}, eta = {run.eta:.3g}, seed {seed}"
    )


def _document(run: Trajectory, promised: Sequence[Guarantee], data: Dataset, seed: int) -> dict[str, Any]:
    import numpy as np

    from jacspec import __version__
    from jacspec.training.trajectory import number as json_number

    m = len(run.steps)
    chosen = np.unique(np.round(np.geomspace(1, m, min(m, _CURVE))).astype(int) - 1)
    curves: dict[str, list[Any]] = {"steps": [int(t) for t in run.steps[chosen]]}
    curves |= {
        key: [json_number(float(x)) for x in getattr(run, key)[chosen]]
        for key in ("residual_norms", "distances", "path_lengths")
    }
    return {
        "schema": "jacspec.train/1",
        "version": __version__,
        "seed": seed,
        "data": {"source": data.source, "n": data.n, "d": data.d, "sha256": data.sha256},
        "run": run.to_json(),
        "curves": curves,
        "guarantees": [g.to_json() for g in promised],
    }


def print_run(out: Console, run: Trajectory, promised: Sequence[Guarantee], data: Dataset, drawn: bool) -> None:
    net = run.start
    layer = "W (hidden layer)" if run.trains == "hidden" else "v (output layer), W fixed"
    out.print(f"[bold]{data.source}[/bold]: n = {data.n} rows in R^{data.d}", highlight=False)
    if drawn:
        out.print("no labels given: random signs (--labels)", markup=False)
    how = {"gd": "gradient descent", "sgd": f"SGD, {run.batch} sample{'s' * (run.batch > 1)} a step"}[run.algorithm]
    out.print(f"{net.activation.name}, k = {net.k} units, k d = {net.k * net.d}; {how} on {layer}", markup=False)
    out.print(f"step size {run.eta:.6g}: {run.eta_rule}", markup=False)
    for note in run.notes:
        out.print(f"[yellow]warning[/yellow]: {note}")
    style = {"converged": "green", "diverged": "bold red"}.get(run.status, "yellow")
    out.print(f"[{style}]{run.status}[/{style}]: {run.reason}, in {run.seconds:.2f} s")
    from .tables import plain

    grid = plain(2)
    grid.add_row("||r_t||/||r_0||", f"{run.relative_residual:.3e}")
    grid.add_row(
        "mean rate", f"{number(run.measured_rate or 0.0, 3)} a step; {number(run.final_rate or 0.0, 3)} at the end"
    )
    grid.add_row("distance", f"{run.distances[-1]:.5g}")
    grid.add_row("path length", f"{run.path_lengths[-1]:.5g}")
    for c in (run.checkpoints[0], run.checkpoints[-1]) if run.checkpoints else ():
        low, top = c.sigma_min, c.sigma_max
        shown = "0 exactly" if low.exact_zero else f"{low.value:.4g}"
        grid.add_row(f"J at step {c.step}", f"sigma_min {shown}, norm {top.value:.4g}")
    out.print(grid)
    if promised:
        _print_promises(out, run, promised)


def _print_certificate(out: Console, c: Certificate | None) -> None:
    """The certificate that stopped the run, or why there is none."""
    if c is None:
        out.print("not certified: 2 L ||r|| stayed far above sigma_min(J)^2 at every look", markup=False)
    elif c.certified:
        assert c.distance is not None
        within = rounded_up(c.distance, 6)
        out.print(f"certified ({c.method}): zero loss is attained within {within} of the weights", markup=False)
    else:
        out.print(f"not certified at the last look: {c.reason}", markup=False)


def _print_promises(out: Console, run: Trajectory, promised: Sequence[Guarantee]) -> None:
    """A row for each statement: its rate and path, and by how much the run beats them."""
    from .tables import table

    columns = ("statement and form", "met", "rate", "steps", "path <=", "faster by", "shorter by")
    listing = table(*columns, right=(2, 3, 4, 5, 6))
    listing.columns[0].no_wrap = listing.columns[1].no_wrap = True
    previous = ""
    for g in promised:
        if g.claim != previous:
            listing.add_row(g.claim)
        previous = g.claim
        aim = run.tolerance or 1e-3
        needed, faster, shorter = _compared(run, g, aim)
        listing.add_row(
            f"  {g.variant}",
            "[green]yes[/green]" if g.verdict == "OK" else "[dim]no[/dim]",
            "" if g.rate is None else number(g.rate, 3),
            "" if needed is None else count(needed),
            "" if g.path is None else number(g.path, 3),
            faster,
            shorter,
        )
    out.print(listing)
    for g in promised:
        if g.reason:
            word = "met" if g.verdict == "OK" else "not met"
            out.print(f"  {g.claim} ({g.variant}) {word}: {g.reason}", markup=False)
    notes = [f"steps: to a relative residual of {run.tolerance or 1e-3:g}"]
    notes += ["faster, shorter by: measured against promised"]
    notes += ["a rate of SGD is that of E||r||^2"] if any(g.mean_square for g in promised) else []
    if any(g.verdict != "OK" for g in promised):
        notes += ["what is not met promises nothing here: its numbers are those of a network that meets it"]
    out.print(f"({'; '.join(notes)})", markup=False)


def _compared(run: Trajectory, g: Guarantee, aim: float) -> tuple[int | None, str, str]:
    """(promised steps to `aim`, measured rate over promised rate, promised path over measured path)."""
    from jacspec.widths import iterations_to

    rate, path = run.measured_rate, float(run.path_lengths[-1])
    if g.rate is None or g.rate <= 0:
        needed, faster = None, ""
    else:
        needed = iterations_to(aim**2 if g.mean_square else aim, min(g.rate, 1.0))
        # ||r_t||^2 contracts by (1 - q)^2 a step.
        measured = None if rate is None else rate * (2 - rate) if g.mean_square else rate
        faster = "" if measured is None or measured <= 0 else number(measured / g.rate, 3)
    shorter = "" if g.path is None or path <= 0 or not math.isfinite(path) else number(g.path / path, 3)
    return needed, faster, shorter


def _next(data: str, plot: str | None, saved: str | None) -> str:
    if saved is not None:
        return f"Next: jacspec certify {shlex.quote(saved)} --polish 5   (is zero loss attained nearby?)"
    if plot is None:
        return "Next: add --plot run.png   (the run against its bounds, in one picture)"
    return f"Next: jacspec widths {data}   (what each theorem asks for)"
