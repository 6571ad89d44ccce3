"""Claims that are not in this package: files that a user names, and claims of installed packages.

A reference says which claim is meant, in one string that a worker process, a JSON report and a person can use alike:
``schur-bounds`` (built in, or of an installed package), ``my_bound.py`` (a file with one claim),
``my_claims.py::my-bound`` (one of several).
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, wraps
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from jacspec._checks import InputError, suggestion

from .claims import SLUGS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from .arithmetic import Arithmetic
    from .claim import Assumption, Claim, SidesOf
    from .instances import Instance

__all__ = [
    "GROUP",
    "ID",
    "ClaimError",
    "blamed",
    "expand",
    "installed",
    "is_file",
    "is_package",
    "load_file",
    "load_own",
]

#: The entry point group; an entry's name is the claim's id, its value ``package.module:CLAIM``.
GROUP = "jacspec.claims"

#: What an id looks like.
ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_EXAMPLE = "`jacspec new-claim my-bound` writes a file to start from"


class ClaimError(InputError):
    """Something is wrong with a claim that is not in this package."""


def is_file(reference: str) -> bool:
    """Whether a reference names a file rather than a slug."""
    path = reference.partition("::")[0]
    return path.endswith(".py") or os.sep in path


def is_package(stem: str) -> bool:
    """Whether a file of this name would hide a module that Python finds elsewhere, such as random.py."""
    if stem in sys.builtin_module_names or stem in sys.stdlib_module_names:
        return True
    found = importlib.util.find_spec(stem)
    here = found is not None and found.origin is not None and os.path.dirname(found.origin) == os.getcwd()
    return found is not None and not here


# -- files ----------------------------------------------------------------------------------------------------------


def load_file(path: str) -> tuple[Claim, ...]:
    """The claims of a Python file: its CLAIM, and those of its CLAIMS.

    The file is run once per content, without leaving a ``__pycache__``; its folder joins the end of ``sys.path``, so
    that a file may import its neighbours. A file of this package gives the claim of this package.

    Parameters
    ----------
    path : str

    Returns
    -------
    tuple of Claim
        At least one, with distinct ids that no built-in claim has.

    Raises
    ------
    ClaimError
        If there is no such file, it does not compile or run, it has no claim, or a claim is not what it should be.
    """
    shown = repr(path)
    if not path.endswith(".py"):
        raise ClaimError("FILE", shown, f"a Python file (.py); {_EXAMPLE}")
    if not os.path.isfile(path):
        raise ClaimError("FILE", shown, f"a file that exists{_neighbour(path)}; {_EXAMPLE}")
    built_in = _slug_of_built_in(path)
    if built_in is not None:
        from .claims import load

        return (load(built_in),)
    try:
        with open(path, "rb") as handle:
            source = handle.read()
    except OSError as error:
        raise ClaimError("FILE", shown, f"a file that can be read ({error.strerror})") from error
    return _run(os.path.realpath(path), path, source)


def _neighbour(path: str) -> str:
    folder, name = os.path.split(path)
    try:
        return suggestion(name, [other for other in os.listdir(folder or ".") if other.endswith(".py")])
    except OSError:
        return ""


def _slug_of_built_in(path: str) -> str | None:
    home = os.path.join(os.path.dirname(os.path.realpath(__file__)), "claims")
    folder, name = os.path.split(os.path.realpath(path))
    slug = name.removesuffix(".py").replace("_", "-")
    return slug if folder == home and slug in SLUGS else None


@cache
def _run(real: str, path: str, source: bytes) -> tuple[Claim, ...]:
    """Keyed by content: an edited file is another one. Python's own cache would miss an edit within a second."""
    module = ModuleType(f"jacspec_own_{zlib.crc32(real.encode()):08x}_{zlib.crc32(source):08x}")
    module.__file__ = real
    try:
        code = compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes
        line = f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else str(error)
        raise ClaimError("FILE", repr(path), f"valid Python ({line})") from error
    folder = os.path.dirname(real)
    if folder not in sys.path:
        sys.path.append(folder)
    sys.modules[module.__name__] = module  # dataclasses look their module up while they are made
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        if os.environ.get("JACSPEC_TRACEBACK"):
            raise
        raise ClaimError("FILE", repr(path), f"a file that runs ({_told(error, path)})") from error
    finally:
        del sys.modules[module.__name__]
    return _claims_of(module, path)


def _claims_of(module: ModuleType, path: str) -> tuple[Claim, ...]:
    from .claim import Claim

    if not hasattr(module, "CLAIM") and not hasattr(module, "CLAIMS"):
        raise ClaimError("FILE", repr(path), f"a file that defines CLAIM, or CLAIMS, a tuple of them; {_EXAMPLE}")
    several = getattr(module, "CLAIMS", ())
    if not isinstance(several, (tuple, list)):
        raise ClaimError(f"{path}: CLAIMS", several, "a tuple of claims")
    found: list[Claim] = []
    originals: list[Claim] = []
    for x in ([module.CLAIM] if hasattr(module, "CLAIM") else []) + list(several):
        if not isinstance(x, Claim):
            raise ClaimError(f"{path}: CLAIM", _shown(x), "a Claim (from verification.claim)")
        if any(x is other for other in originals):  # CLAIM is often one of CLAIMS
            continue
        _check_fields(x, path)
        if x.id in SLUGS:
            raise ClaimError(f"{path}: id", repr(x.id), "an id that no built-in claim has; choose another")
        if any(x.id == other.id for other in found):
            raise ClaimError(f"{path}: id", repr(x.id), "distinct ids; two claims of this file have this one")
        found.append(_guarded(x, path))
        originals.append(x)
    if not found:
        raise ClaimError(f"{path}: CLAIMS", "an empty tuple", "at least one claim")
    return tuple(found)


def _shown(x: Any) -> Any:
    """A string in quotation marks; whatever else as it is."""
    return repr(x) if isinstance(x, str) else x


def _check_fields(claim: Claim, where: str) -> None:
    """Types that a dataclass does not check, before they fail in the middle of a run."""
    from .claim import Assumption, Kind, Mutant, Variant
    from .instances import Domain

    def every(kind: type) -> Callable[[Any], bool]:
        return lambda x: isinstance(x, tuple) and all(isinstance(part, kind) for part in x)

    def text(x: Any) -> bool:
        return isinstance(x, str)

    def function(x: Any) -> bool:
        return x is None or callable(x)

    rules: dict[str, tuple[Callable[[Any], bool], str]] = {
        "id": (lambda x: text(x) and ID.fullmatch(x) is not None, "small letters, digits and single hyphens"),
        "title": (text, "a string"),
        "statement": (text, "a string (LaTeX)"),
        "source": (text, "a string"),
        "proof": (text, "a string"),
        "kind": (lambda x: isinstance(x, Kind), "a Kind, such as Kind.UPPER"),
        "domain": (lambda x: isinstance(x, Domain), "a Domain, such as verification.domains.rows()"),
        "variants": (every(Variant), "a tuple of Variant (mind the comma of a tuple of one)"),
        "mutants": (every(Mutant), "a tuple of Mutant (mind the comma of a tuple of one)"),
        "assumptions": (every(Assumption), "a tuple of Assumption (mind the comma of a tuple of one)"),
        "extremal": (every(Mapping), "a tuple of dictionaries, the specs of instances"),
        "sides": (function, "a function of (instance, arithmetic)"),
        "failure": (function, "a function of an instance"),
        "statistics": (function, "a function of an instance"),
        "floor": (lambda x: isinstance(x, (int, float)) and 0 <= x <= 1, "a share between 0 and 1"),
    }
    for name, (good, expected) in rules.items():
        value = getattr(claim, name)
        if not good(value):
            raise ClaimError(f"{where}: {name}", _shown(value), expected)
    names = [m.name for m in claim.mutants]
    if len(set(names)) != len(names):
        raise ClaimError(f"{where}: mutants", ", ".join(names), "distinct names")


def _guarded(claim: Claim, where: str) -> Claim:
    """The claim, with `sides` and assumptions that say so when what they return is not what was announced.

    A misspelt name would otherwise read as a form that does not apply, and an assumption that answers True as one that
    fails.
    """
    from .claim import Sides

    def guard(sides: SidesOf | None, names: tuple[str, ...], which: str) -> SidesOf | None:
        if sides is None:
            return None
        given = sides

        @wraps(given)
        def checked(instance: Instance, m: Arithmetic) -> Mapping[str, Sides]:
            found = given(instance, m)
            if not isinstance(found, Mapping):
                raise ClaimError(f"{where}: {which}", found, "a dictionary of Sides by name")
            # Names of no form are fine (claims may share a function), unless they stand in the place of a form's.
            missing = [name for name in names if name not in found]
            for name, pair in found.items():
                hint = "" if name in names else suggestion(str(name), missing)
                if hint or not any(known in found for known in names):
                    raise ClaimError(f"{where}: {which}", repr(name), f"names among {', '.join(names)}{hint}")
                if not isinstance(pair, Sides):
                    raise ClaimError(f"{where}: {which}", pair, f"Sides(left, right) for {name}")
            return found

        return checked

    def answering(assumption: Assumption) -> Assumption:
        @wraps(assumption.fails)
        def checked(instance: Instance) -> str | None:
            said: object = assumption.fails(instance)
            if said is None or isinstance(said, str):
                return said
            expected = "None where it is met, else the sentence that says why not"
            raise ClaimError(f"{where}: assumption '{assumption.text}'", repr(said), expected)

        return replace(assumption, fails=checked)

    return replace(
        claim,
        assumptions=tuple(map(answering, claim.assumptions)),
        sides=guard(claim.sides, tuple(v.name for v in claim.variants), "what sides returns"),
        mutants=tuple(
            replace(m, sides=guard(m.sides, ("mutant",), f"what the sides of mutant {m.name} return"))
            for m in claim.mutants
        ),
    )


def _told(error: BaseException, path: str) -> str:
    """``line 12: KeyError: 'Y'``, the line being the last one of the file that the error passed through."""
    real, line, step = os.path.realpath(path), 0, error.__traceback__
    while step is not None:
        if os.path.realpath(step.tb_frame.f_code.co_filename) == real:
            line = step.tb_lineno
        step = step.tb_next
    where = f"line {line}: " if line else ""
    return where + f"{type(error).__name__}: {error}".strip().removesuffix(":")


# -- installed packages ---------------------------------------------------------------------------------------------


@cache
def installed() -> Mapping[str, EntryPoint]:
    """Claims of other packages by id, sorted, from the entry point group `GROUP`; nothing of theirs is imported.

    Raises
    ------
    ClaimError
        If two packages have a claim of one id, or one has the id of a built-in claim.
    """
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        if entry.name in SLUGS:
            raise ClaimError(_owner(entry), repr(entry.name), "an id that no built-in claim has")
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:  # equal values: one package, found twice on the path
            raise ClaimError(_owner(entry), repr(entry.name), f"an id of its own; {_owner(other)} has this one too")
    return MappingProxyType(found)


def _owner(entry: EntryPoint) -> str:
    return f"{entry.dist.name if entry.dist else 'a package'} ({entry.value})"


def _load_installed(entry: EntryPoint) -> Claim:
    from .claim import Claim

    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        if os.environ.get("JACSPEC_TRACEBACK"):
            raise
        raise ClaimError(_owner(entry), f"{type(error).__name__}: {error}", "a claim that can be imported") from error
    if isinstance(found, ModuleType):
        found = getattr(found, "CLAIM", found)
    if not isinstance(found, Claim):
        raise ClaimError(_owner(entry), found, "a Claim, or a module with one named CLAIM")
    _check_fields(found, _owner(entry))
    if found.id != entry.name:
        raise ClaimError(_owner(entry), f"id {found.id!r}", f"{entry.name!r}, the name of its entry point")
    return _guarded(found, _owner(entry))


# -- references -----------------------------------------------------------------------------------------------------


def expand(reference: str) -> list[str]:
    """A reference to a file as references to each claim in it; any other as it is."""
    path, separator, _ = reference.partition("::")
    if not is_file(reference) or separator:
        return [reference]
    found = load_file(path)
    return [path] if len(found) == 1 else [f"{path}::{claim.id}" for claim in found]


def load_own(reference: str) -> Claim:
    """The claim that a reference to a file or an installed package's claim means.

    Raises
    ------
    ClaimError
        If there is none, or more than one.
    """
    if not is_file(reference):
        entry = installed().get(reference)
        if entry is None:
            hint = suggestion(reference, [*SLUGS, *installed()])
            raise ClaimError("SLUG", repr(reference), f"a claim that `jacspec claims` lists{hint}")
        return _load_installed(entry)
    path, separator, name = reference.partition("::")
    found = load_file(path)
    chosen = [claim for claim in found if claim.id == name.replace("_", "-")] if separator else list(found)
    if len(chosen) != 1:
        raise ClaimError("FILE", repr(reference), f"one of {', '.join(f'{path}::{c.id}' for c in found)}")
    return chosen[0]


@contextmanager
def blamed(reference: str) -> Iterator[None]:
    """Name the claim, and the line of its file, when code that is not of this package fails in the middle of a run.

    With JACSPEC_TRACEBACK set, the error passes as it is.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if reference in SLUGS or os.environ.get("JACSPEC_TRACEBACK"):
            raise
        told = _told(error, reference.partition("::")[0]) if is_file(reference) else f"{type(error).__name__}: {error}"
        wanted = "a claim that can be computed on every instance of its domain (JACSPEC_TRACEBACK=1 shows the way)"
        if "_mpf_" in told:  # mpmath and NumPy scalars do not mix
            wanted = "numbers of the arithmetic m only: m.matrix(...) of every array, m.number(...) of every scalar"
        raise ClaimError(reference, told, wanted) from error
