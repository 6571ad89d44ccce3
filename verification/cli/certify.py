"""`jacspec certify`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from . import completion
from .common import (
    Files,
    Reading,
    Written,
    activation_option,
    command,
    console,
    data_options,
    output_options,
    stages,
    write_json,
)
from .text import radius, rounded_up, shown

if TYPE_CHECKING:
    from rich.console import Console

    from jacspec import Estimate, ShallowNet
    from jacspec.certificates import Certificate
    from verification.recheck import Finding

_METHODS = ("auto", "kantorovich", "newton", "relu")


@command(
    epilog="Example:  jacspec certify run.npz --polish 5\n\nExample:  jacspec certify net.safetensors -a softplus "
    "--data X.npy --labels y.npy"
)
@click.argument("file", type=click.Path(dir_okay=False))
@click.option(
    "--data",
    shell_complete=completion.data,
    metavar="DATA",
    help="FILE is a network (.safetensors): the data that it was to fit.",
)
@data_options
@activation_option("Of a network that does not say it.")
@click.option("--check", is_flag=True, help="FILE is a certificate: prove it again, in ball arithmetic.")
@click.option("--initial", is_flag=True, help="Certify the weights at the start of the run, not at its end.")
@click.option("--method", type=click.Choice(_METHODS), default="auto", show_default=True, help="Which theorem to use.")
@click.option("--eta", default="auto", show_default=True, metavar="NUMBER", help="Step size; auto: the best proved.")
@click.option("--polish", type=int, default=0, show_default=True, help="Gauss-Newton steps that may be made.")
@click.option("--save", type=Written("npz"), metavar="FILE.npz", help="Keep the certificate.")
@output_options
def certify(
    file: str,
    data: str | None,
    reading: Reading,
    name: str | None,
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

    FILE is what `jacspec train --save` wrote, or the state dict of a network
    trained by PyTorch (.safetensors), with --data and --labels. CERTIFIED is
    a theorem about its floating-point numbers; NOT CERTIFIED comes with the
    reason, and says nothing about the network. With --check, FILE is a
    certificate that --save wrote, checked by other code, in ball arithmetic.
    Exit code 0: certified, or valid; 5: not certified; 1: not valid.
    """
    from jacspec import InputError
    from jacspec._checks import check_int

    check_int("--polish", polish, minimum=0, maximum=1000)
    if not os.path.isfile(file):
        raise InputError("FILE", repr(file), "a file that exists")
    # A network comes with its data; a run and a certificate bring their own.
    foreign = file.endswith(".safetensors")
    own = [("--data", data), *reading.given(), ("--activation", name)]
    given = [(option, value) for option, value in own if value]
    if given and not foreign:
        option, value = given[0]
        raise InputError(option, repr(value), "a network in FILE (.safetensors); a run has data of its own")
    if check:
        if initial or save is not None or polish or method != "auto" or eta != "auto":
            raise InputError("--check", "further options", "a certificate's file and nothing else to do with it")
        return _check(file, as_json, quiet, output, no_color)
    if foreign:
        if data is None:
            raise InputError("--data", "none", "the data that the network was to fit, as FILE holds none")
        if initial:
            raise InputError("--initial", repr(file), "a run: a network has one set of weights")
        source = partial(_network, file, name, data, reading)
    else:
        source = partial(_run, file, initial)
    found = _certify(source, method, eta, polish, quiet or as_json)
    files = Files()
    if found.certified:
        files.write(save, "--save", "Saved to", found.save)
    if as_json:
        write_json({"seed": seed, **found.to_json()}, output)
    else:
        with console(output, no_color) as out:
            print_certificate(out, found)
            files.print(out)
            if not quiet:
                out.print(_next(found, save), markup=False)
    files.settle()
    return 0 if found.certified else 5


@dataclass(frozen=True)
class _Problem:
    """What is to be certified, or why it is not worth a try."""

    net: ShallowNet
    X: Any
    y: Any
    weights: str
    hopeless: str | None = None
    #: The start of a run that trains the hidden layer: its certificate needs no probability.
    start: bool = False


def _run(file: str, initial: bool) -> _Problem:
    from jacspec import InputError, Trajectory

    try:
        run = Trajectory.load(file)
    except InputError as error:
        raise InputError("FILE", repr(file), f"{error.expected}; certificates are for --check") from None
    if initial:
        return _Problem(run.start, run.X, run.y, "start of the run", start=run.trains == "hidden")
    if run.status == "diverged":
        return _Problem(run.start, run.X, run.y, "given", f"the run diverged: {run.reason}")
    return _Problem(run.end, run.X, run.y, f"end of the run (step {run.step})")


def _network(file: str, name: str | None, data: str, reading: Reading) -> _Problem:
    from jacspec import InputError, pretrained

    try:
        read = pretrained(file, name)
    except InputError as error:
        known = {"source": "FILE", "activation": "--activation"}
        raise InputError(known.get(error.argument, f"FILE, {error.argument}"), error.shown, error.expected) from None
    # A certificate does not need unit rows: they are taken as the network saw them, unless they are to be normalised.
    loaded = reading.load(data, normalize=True)
    if loaded.y is None:
        raise InputError("--labels", "none", "the labels that the network was to fit: a file, or signs:seed=0")
    X = loaded.X if reading.normalize else loaded.raw
    if X.shape[1] != read.W.shape[1]:
        raise InputError("--data", f"rows of {X.shape[1]} entries", f"{read.W.shape[1]}, as the network has inputs")
    net, X, y = read.problem(X, loaded.y)
    moving = "W and b (rows end with 1)" if read.hidden_bias.any() else "W"
    labelled = ", labels less the output bias" if read.output_bias != 0 else ""
    return _Problem(net, X, y, f"{file} ({read.dtype}): {moving}{labelled}")


def _certify(source: Callable[[], _Problem], method: Any, eta: str, polish: int, quiet: bool) -> Certificate:
    from dataclasses import replace

    from .train import _step_size

    step = _step_size(eta)
    with stages(quiet) as say:
        from jacspec.certificates import Certificate, certify

        say("reading")
        p = source()
        say("certifying")
        if p.hopeless is not None:
            return Certificate("NOT CERTIFIED", p.hopeless, "interpolation-certificate", p.net, p.X, p.y)
        found = certify(p.net, p.X, p.y, eta=step, method=method, polish=polish, weights=p.weights)
        if p.start and found.certified and not polish:
            return replace(found, weights=f"{p.weights}: no probability, for this draw")
        return found


def print_certificate(out: Console, c: Certificate) -> None:
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


def _next(c: Certificate, save: str | None) -> str:
    if not c.certified:
        return "Next: train on, or wider" if c.polish else "Next: add --polish 5   (or train on)"
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
    if not finding.valid and _is_run(file):
        made = f"jacspec certify {shlex.quote(file)} --save certificate.npz"
        raise InputError("FILE", repr(file), f"a certificate, and this is a run; `{made}` makes one of it")
    if as_json:
        write_json(_document(finding), output)
    else:
        with console(output, no_color) as out:
            print_finding(out, finding, f", {finding.seconds:.2f} s")
    return 0 if finding.valid else 1


def _is_run(file: str) -> bool:
    from jacspec import InputError, Trajectory

    try:
        Trajectory.load(file)
    except InputError:
        return False
    return True


def print_finding(out: Console, finding: Finding, time: str = "") -> None:
    """The verdict of the check, what it proved, and in how many bits."""
    word = "[bold green]VALID[/bold green]" if finding.valid else "[bold red]INVALID[/bold red]"
    out.print(f"{word}: ", end="")
    out.print(finding.reason, markup=False)
    if finding.about:
        out.print(f"  of: {finding.about}", markup=False)
    for sentence in finding.proved:
        out.print(f"  proved: {sentence}", markup=False)
    if finding.bits:
        out.print(f"  in {finding.bits}-bit balls{time}", markup=False)


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
