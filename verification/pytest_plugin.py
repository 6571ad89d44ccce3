"""The pytest plugin: claims as test items, and a fixture that checks one.

``pytest --jacspec my_bound.py`` runs the claims of a file: a test item per form of each claim and one per mutant. A
project that wants this without the flag names its files in its configuration (``jacspec_files = *_claims.py``).

pytest loads this module in every run of everybody who has jacspec installed, so it imports nothing but pytest until a
claim is collected or the fixture is called.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verification.claim import Claim, Mutant, Variant
    from verification.verify import ClaimReport, Options, VariantReport

__all__ = ["jacspec_check"]

_EXAMPLES = 100
#: Claims collected in this run, which share the error level of statements with probability.
_COUNT = pytest.StashKey[int]()


class ClaimFailure(Exception):
    """What a person is told of a violation or a surviving mutant."""


# -- options --------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and configuration."""
    group = parser.getgroup("jacspec", "claims (jacspec)")
    group.addoption("--jacspec", action="store_true", help="Check the claims (CLAIM, CLAIMS) of Python files as well.")
    group.addoption(
        "--jacspec-examples",
        metavar="N",
        default=str(_EXAMPLES),
        help=f"Fuzzed instances per claim and per mutant.  [default: {_EXAMPLES}]",
    )
    group.addoption("--jacspec-seed", metavar="SEED", default="0", help="Seed of what is drawn.  [default: 0]")
    parser.addini("jacspec_files", "Patterns of files whose claims are checked without --jacspec.", "args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Refuse bad options before anything is collected."""
    for name, least, most in (("examples", 1, 10_000_000), ("seed", 0, 2**64 - 1)):
        text = config.getoption(f"jacspec_{name}")
        if not text.isdecimal() or not least <= int(text) <= most:
            raise pytest.UsageError(f"--jacspec-{name}: got {text!r}; expected an integer from {least} to {most}")


def _options(config: pytest.Config) -> Options:
    from verification.verify import Options

    examples, seed = (int(config.getoption(f"jacspec_{name}")) for name in ("examples", "seed"))
    return Options(examples=examples, seed=seed, claims=max(1, config.stash.get(_COUNT, 1)))


# -- collection -----------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Add the claims of a file; a file that holds claims and no tests is not imported as a test module as well."""
    found = yield
    if file_path.suffix != ".py" or not _wanted(file_path, parent):
        return found
    if not _matches(file_path, parent.config.getini("python_files")):
        found = [collector for collector in found if not isinstance(collector, pytest.Module)]
    return [*found, ClaimFile.from_parent(parent, path=file_path)]


def _matches(path: Path, patterns: list[str]) -> bool:
    return any(path.match(pattern) for pattern in patterns)


def _wanted(path: Path, parent: pytest.Collector) -> bool:
    config = parent.config
    if _matches(path, config.getini("jacspec_files")):
        return True
    if not config.getoption("jacspec"):
        return False
    # Named by hand and no test file: if there is no claim in it, the person must hear of it.
    named = parent.session.isinitpath(path) and not _matches(path, config.getini("python_files"))
    return named or _assigns_claim(path)


def _assigns_claim(path: Path) -> bool:
    """Whether a file assigns CLAIM or CLAIMS at its top level; it is read, not run."""
    import ast

    try:
        source = path.read_bytes()
        if b"CLAIM" not in source:
            return False
        body = ast.parse(source).body
    except (OSError, SyntaxError, ValueError):
        return False
    targets = [t for node in body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return any(isinstance(t, ast.Name) and t.id in ("CLAIM", "CLAIMS") for t in targets)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say of a file named by hand, of which nothing was run, that it holds a claim."""
    if config.getoption("jacspec"):
        return
    for name in config.args:
        path = Path(name.partition("::")[0])
        known = [*config.getini("python_files"), *config.getini("jacspec_files")]
        if path.suffix == ".py" and not _matches(path, known) and _assigns_claim(path):
            terminalreporter.write_line(f"{path} holds a claim, which `pytest --jacspec {path}` checks.")


class ClaimFile(pytest.File):
    """A file with claims."""

    def collect(self) -> Iterator[pytest.Collector]:
        """A collector per claim."""
        from verification.claims import SLUGS
        from verification.own_claims import load_file

        shown = os.path.relpath(self.path, self.config.invocation_params.dir)
        claims = load_file(str(self.path))
        self.config.stash[_COUNT] = self.config.stash.get(_COUNT, 0) + len(claims)
        for claim in claims:
            reference = "" if claim.id in SLUGS else shown if len(claims) == 1 else f"{shown}::{claim.id}"
            yield ClaimCollector.from_parent(self, name=claim.id, claim=claim, reference=reference)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line for a file that holds no claim, or a wrong one."""
        return _told(excinfo) or super().repr_failure(excinfo)  # a collector takes no style


class ClaimCollector(pytest.Collector):
    """A claim; it is run once for all its forms."""

    def __init__(self, *, claim: Claim, reference: str, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.claim = claim
        self.reference = reference
        self._outcome: ClaimReport | Exception | None = None

    def collect(self) -> Iterator[pytest.Item]:
        """An item per form, then one per mutant."""
        for variant in self.claim.variants:
            yield VariantItem.from_parent(self, name=variant.name, variant=variant)
        for mutant in self.claim.mutants:
            yield MutantItem.from_parent(self, name=f"mutant[{mutant.name}]", mutant=mutant)

    def report(self) -> ClaimReport:
        """What a run of the claim found; computed once. An error in the claim's own code is raised every time."""
        if self._outcome is None:
            try:
                self._outcome = run(self.claim, self.reference, _options(self.config))
            except Exception as error:
                self._outcome = error
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class _Item(pytest.Item):
    parent: ClaimCollector

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        if self.config.pluginmanager.hasplugin("xdist"):
            # Under --dist loadgroup the forms of a claim go to one worker, which runs it once.
            self.add_marker(pytest.mark.xdist_group(self.parent.nodeid))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return _told(excinfo) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.parent.name} ({self.name})"


class VariantItem(_Item):
    """A form of a claim: fails when VIOLATED or REFUTED, skipped when nothing was decided."""

    def __init__(self, *, variant: Variant, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.variant = variant

    def runtest(self) -> None:
        report = self.parent.report()
        (found,) = (v for v in report.variants if v.name == self.variant.name)
        counts = (("verdict", found.verdict.value), ("decided", f"{found.decided}/{found.instances}"))
        self.user_properties.extend(counts)
        wrong = problem(self.parent.claim, report, found)
        if wrong:
            raise ClaimFailure(wrong)
        if found.verdict.value in ("VACUOUS", "UNDECIDED"):
            pytest.skip(f"{report.id} ({found.name}) is {found.verdict.value}: {found.reason}")


class MutantItem(_Item):
    """A false neighbour of a claim: fails when it survives."""

    def __init__(self, *, mutant: Mutant, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.mutant = mutant

    def runtest(self) -> None:
        from verification.own_claims import blamed
        from verification.verify import verify_mutant

        claim = self.parent.claim
        with blamed(self.parent.reference or claim.id):
            found = verify_mutant(claim, self.mutant, _options(self.config))
        self.user_properties.append(("verdict", found.report.verdict.value))
        if not found.refuted:
            raise ClaimFailure(survived(claim.id, found))


def _told(excinfo: pytest.ExceptionInfo[BaseException]) -> str | None:
    """The message alone, for what a traceback through this package would not explain."""
    from jacspec import InputError

    return str(excinfo.value) if isinstance(excinfo.value, (ClaimFailure, InputError)) else None


# -- running --------------------------------------------------------------------------------------------------------


def run(claim: Claim, reference: str, options: Options) -> ClaimReport:
    """A run of one claim, and of its mutants where the options say so; errors of its own code name its file."""
    from dataclasses import replace

    from verification.own_claims import blamed
    from verification.verify import verify_claim

    with blamed(reference or claim.id):
        report = verify_claim(claim, options)
    return replace(report, reference=reference) if reference else report


def problem(claim: Claim, report: ClaimReport, found: VariantReport) -> str | None:
    """What is wrong with a form of a claim, in full; None when nothing is."""
    from verification.instances import format_spec

    name = f"{claim.id} ({found.name})"
    if report.reproduce(found) is not None or found.verdict.value in ("VIOLATED", "REFUTED"):
        statement = next(v.statement for v in claim.variants if v.name == found.name)
        lines = [f"{name} is {found.verdict.value}: {found.reason}", f"  {statement}"]
        if found.left is not None:
            lines += [f"  left  {found.left!r}", f"  right {found.right!r}"]
        if found.witness is not None:
            lines.append(f"  on    {format_spec(found.witness)}")
            lines.append(f"  reproduce: {report.reproduce(found)}")
        return "\n".join(lines)
    return report.starved(found)


def survived(claim_id: str, found: Any) -> str:
    """What to think of a mutant that survived."""
    from verification.report.typed import typed

    return (
        f"{claim_id}: mutant {found.name} SURVIVES ({found.report.verdict.value})\n"
        f"  {typed(found.why)}\n"
        "  Either it is true, or the instances are too tame to tell: add an extremal one."
    )


@pytest.fixture
def jacspec_check(request: pytest.FixtureRequest) -> Callable[..., ClaimReport]:
    """A function that checks one claim inside a test: ``jacspec_check(CLAIM)``.

    ``jacspec_check(claim, examples=None, seed=None, mutants=True, alpha=0.01)`` takes a Claim, the slug of a built-in
    or installed one, or a path such as ``"my_bound.py"``. It fails the test when a form is violated or refuted or is
    decided on a smaller share of the instances than the claim's floor, or a mutant survives; skips it when nothing was
    decided; otherwise it returns the `ClaimReport`. What is not given is as ``--jacspec-examples`` and
    ``--jacspec-seed`` say.
    """

    def check(
        claim: Claim | str | os.PathLike[str],
        *,
        examples: int | None = None,
        seed: int | None = None,
        mutants: bool = True,
        alpha: float = 0.01,
    ) -> ClaimReport:
        __tracebackhide__ = True
        from dataclasses import replace

        from jacspec._checks import InputError, check_int, check_real, check_seed
        from verification.claim import Claim
        from verification.claims import SLUGS, load

        given = _options(request.config)
        if examples is not None:
            given = replace(given, examples=check_int("examples", examples, minimum=1, maximum=10_000_000))
        if seed is not None:
            given = replace(given, seed=check_seed("seed", seed))
        given = replace(given, mutants=bool(mutants), alpha=check_real("alpha", alpha, above=0, below=1), claims=1)
        reference = ""
        if isinstance(claim, (str, os.PathLike)):
            reference = os.fspath(claim)
            claim = load(reference)
            reference = "" if claim.id in SLUGS or claim.id == reference else reference
        elif not isinstance(claim, Claim):
            raise InputError("claim", claim, "a Claim, the slug of one, or the path of a file with one")
        report = run(claim, reference, given)
        wrong = [text for v in report.variants if (text := problem(claim, report, v))]
        wrong += [survived(claim.id, m) for m in report.mutants if not m.refuted]
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)
        if all(v.verdict.value in ("VACUOUS", "UNDECIDED") for v in report.variants):
            first = report.variants[0]
            pytest.skip(f"{claim.id} is {first.verdict.value}: {first.reason}")
        return report

    return check
