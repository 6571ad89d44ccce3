"""`jacspec certify`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from .common import check_output, console, output_options, stages, write_json
from .text import radius, rounded_up, shown

if TYPE_CHECKING:
    from rich.console import Console

    from jacspec import Estimate
    from jacspec.certificates import Certificate
    from verification.recheck import Finding

_METHODS = ("auto", "kantorovich", "newton", "relu")


@click.command(epilog="Example:  jacspec train sphere:n=40,d=10 --save run.npz && jacspec certify run.npz")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--check", is_flag=True, help="FILE is a certificate: prove it again, in ball arithmetic.")
@click.option("--initial", is_flag=True, help="Certify the weights at the start of the run, not at its end.")
@click.option("--method", type=click.Choice(_METHODS), default="auto", show_default=True)
@click.option("--eta", default="auto", show_default=True, metavar="NUMBER", help="Step size; auto: the best proved.")
@click.option("--polish", type=int, default=0, show_default=True, help="Gauss-Newton steps that may be made.")
@click.option("--save", type=click.Path(dir_okay=False), metavar="FILE.npz", help="Keep the certificate.")
@output_options
def certify(
    file: str,
    check: bool,
    initial: bool,
    method: Any,
    eta: str,
    polish: int,
    save: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    output: str | None,
    no_color: bool,
) -> int:
    """Prove that an exact interpolator is near a run's weights.

    FILE is what `jacspec train --save` wrote. CERTIFIED is a theorem about
    its floating-point numbers; NOT CERTIFIED comes with the reason, and says
    nothing about the network. With --check, FILE is a certificate that --save
    wrote, and it is checked by other code, in ball arithmetic.
    Exit code 0: certified, or valid; 5: not certified; 1: not valid.
    """
    from jacspec import InputError
    from jacspec._checks import check_int

    check_output(output)
    check_output(save, "--save")
    if save is not None and not save.endswith(".npz"):
        raise InputError("--save", repr(save), "a file name that ends in .npz")
    check_int("--polish", polish, minimum=0, maximum=1000)
    if not os.path.isfile(file):
        raise InputError("FILE", repr(file), "a file that exists")
    if check:
        if initial or save is not None or polish or method != "auto" or eta != "auto":
            raise InputError("--check", "further options", "a certificate's file and nothing else to do with it")
        return _check(file, as_json, quiet, output, no_color)
    found = _certify(file, initial, method, eta, polish, quiet or as_json)
    if save is not None and found.certified:
        found.save(save)
    if as_json:
        write_json({"seed": seed, **found.to_json()}, output)
    else:
        with console(output, no_color) as out:
            _print(out, found)
            if save is not None and found.certified:
                out.print(f"Saved to {save}.", markup=False)
            if not quiet:
                out.print(_next(file, found, save), markup=False)
    return 0 if found.certified else 5


def _certify(file: str, initial: bool, method: Any, eta: str, polish: int, quiet: bool) -> Certificate:
    from dataclasses import replace

    from jacspec import InputError

    from .train import _step_size

    step = _step_size(eta)
    with stages(quiet) as say:
        from jacspec import Trajectory
        from jacspec.certificates import Certificate, certify

        say("reading the run")
        try:
            run = Trajectory.load(file)
        except InputError as error:
            raise InputError("FILE", repr(file), f"{error.expected}; certificates are for --check") from None
        say("certifying")
        if not initial and run.status == "diverged":
            why = f"the run diverged: {run.reason}"
            return Certificate("NOT CERTIFIED", why, "interpolation-certificate", run.start, run.X, run.y)
        net, weights = (run.start, "start of the run") if initial else (run.end, f"end of the run (step {run.step})")
        found = certify(net, run.X, run.y, eta=step, method=method, polish=polish, weights=weights)
        if initial and found.certified and not polish and run.trains == "hidden":
            return replace(found, weights=f"{weights}: no probability, for this draw")
        return found


def _print(out: Console, c: Certificate) -> None:
    from .tables import plain

    n, d = c.X.shape
    out.print(f"{c.net.activation.name}, n = {n}, d = {d}, k = {c.net.k}; weights: {c.weights}", markup=False)
    if c.polish:
        text = f"after {c.polish} Gauss-Newton step{'s' * (c.polish > 1)}, {c.polish_distance:.4g} away"
        out.print(text, markup=False)
    if c.certified:
        out.print(f"[bold green]CERTIFIED[/bold green] ({c.method})")
        out.print(_statement(c), markup=False)
    else:
        out.print(f"[bold yellow]NOT CERTIFIED[/bold yellow] ({c.method})")
        out.print(f"{c.reason}", markup=False)
    grid = plain(2)
    for name, e in (
        ("||f(W) - y||", c.residual),
        ("sigma_min(J)" if c.units is None else "sigma_min(J_S)", c.sigma_min),
        ("L", c.lipschitz),
        ("beta", c.beta),
        ("||J^+ r||", c.newton_step),
        ("share of the way to a kink" if c.method.endswith("relu") else "h", c.h),
    ):
        if e is not None:
            grid.add_row(name, _ends(e))
    if c.distance is not None:
        grid.add_row("distance", f"at most {rounded_up(c.distance, 6)}")
    if c.eta is not None and c.rate is not None:
        grid.add_row("step size", repr(c.eta))
        grid.add_row("rate", f"at least {_rounded_down(c.rate)} a step")
    out.print(grid)


def _ends(e: Estimate) -> str:
    spread = radius(e, 8)
    return f"{shown(e, 8)} +- {spread}" if spread else shown(e, 8)


def _rounded_down(x: float) -> str:
    from decimal import ROUND_FLOOR, Context, Decimal

    return str(Context(prec=6, rounding=ROUND_FLOOR).create_decimal(Decimal(x)))


def _statement(c: Certificate) -> str:
    assert c.distance is not None
    there = f"Zero loss is attained within {rounded_up(c.distance, 6)} of these weights"
    if c.method == "interpolation-certificate":
        return f"{there}, and gradient descent from them with step {c.eta!r} converges to such a point."
    if c.units is not None:
        return f"{there}, by moving {int(c.units.sum())} of {c.net.k} units, none across a kink."
    return f"{there} (existence only)."


def _next(file: str, c: Certificate, save: str | None) -> str:
    if not c.certified:
        return (
            f"Next: jacspec certify {file} --polish 5   (or train on)" if not c.polish else "Next: train on, or wider"
        )
    if save is None:
        return "Next: add --save certificate.npz   (for a sceptic)"
    return f"Next: jacspec certify --check {save}   (proves it again, by other code)"


def _check(file: str, as_json: bool, quiet: bool, output: str | None, no_color: bool) -> int:
    from jacspec import InputError

    with stages(quiet or as_json) as say:
        from verification.recheck import recheck

        say("checking in ball arithmetic")
        try:
            finding = recheck(file)
        except OSError as error:
            raise InputError("FILE", repr(file), f"a file that can be read ({error.strerror})") from None
    if as_json:
        write_json(_document(finding), output)
    else:
        with console(output, no_color) as out:
            word = "[bold green]VALID[/bold green]" if finding.valid else "[bold red]INVALID[/bold red]"
            out.print(f"{word}: ", end="")
            out.print(finding.reason, markup=False)
            if finding.about:
                out.print(f"  of: {finding.about}", markup=False)
            for sentence in finding.proved:
                out.print(f"  proved: {sentence}", markup=False)
            if finding.bits:
                out.print(f"  in {finding.bits}-bit balls, {finding.seconds:.2f} s", markup=False)
    return 0 if finding.valid else 1


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "schema": "jacspec.recheck/1",
        "verdict": "VALID" if finding.valid else "INVALID",
        "reason": finding.reason,
        "about": finding.about,
        "proved": list(finding.proved),
        "bits": finding.bits,
        "seconds": finding.seconds,
    }
