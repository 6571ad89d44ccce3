"""From the document ``jacspec.verify/1`` to HTML: what is shown of it, and in which words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from jacspec import InputError

from ..instances import format_spec
from ..trend import Fit, Trend
from ..verify import versions
from .formulas import markup
from .sections import Drawing, Section, inline
from .strips import decimal, draw_strips, slack_strip, slack_words

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["SCHEMA", "render"]

SCHEMA = "jacspec.verify/1"

#: What each verdict means, and the sign it has beside its word: colour is never all there is.
VERDICTS = {
    "VIOLATED": ("\u2717", "fails by more than the rounding radius, confirmed with 60 digits"),
    "REFUTED": ("\u2717", "draws contradict the probability or the expectation, at the error level of the run"),
    "HOLDS": ("\u2713", "holds by more than the rounding radius on every instance that was decided"),
    "SUPPORTED": ("\u2713", "draws support the probability or the expectation, at the error level of the run"),
    "MEASURED": ("~", "a law about growing sizes: its trend was measured, and nothing was judged"),
    "UNDECIDED": ("?", "within the rounding radius, or too few draws to tell"),
    "VACUOUS": ("\u2205", "an assumption is not met, so nothing is promised"),
}


def render(document: Mapping[str, Any] | None, sections: Sequence[Section] = ()) -> str:
    """The report of a run of claims, and of what else was stored.

    Parameters
    ----------
    document : mapping or None
        What ``jacspec verify --json`` writes.
    sections : sequence of Section
        After the claims.

    Returns
    -------
    str
        A whole HTML document; the same for the same document and sections, whatever the seconds that a run took.

    Raises
    ------
    InputError
        If it is not such a document.
    """
    template = _environment().get_template("report.html")
    shared = {"sections": sections, "versions": versions()}
    if document is None:
        return template.render(run=None, **shared) + "\n"
    if document.get("schema") != SCHEMA or not isinstance(document.get("claims"), list):
        raise InputError("document", repr(document.get("schema")), f"one of schema {SCHEMA}")
    statements = document.get("statements", {})
    claims = [_claim(claim, statements.get(claim["id"], {})) for claim in document["claims"]]
    counts = Counter(v["verdict"] for claim in claims for v in claim["variants"])
    tally = [(word, counts[word], *VERDICTS[word]) for word in VERDICTS if counts[word]]
    found = {"claims": claims, "failed": list(_failed(claims)), "tally": tally, "unfinished": _unfinished(document)}
    run = {"data": None, "dataset": None, "examples": "some", "versions": {}, **document}
    return template.render(run=run, **found, **shared) + "\n"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("verification.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "formula": _formula,
        "statement": _statement,
        "slack": _slack,
        "decimal": _decimal,
        "drawn": _drawn,
        "interval": lambda trend: Fit.from_json(trend).interval(4),
    }
    return made


def _unfinished(document: Mapping[str, Any]) -> str:
    """What a reader must know of a run that did not come to its end; empty for one that did."""
    done, wanted = len(document["claims"]), document.get("wanted", len(document["claims"]))
    if document.get("error"):
        return f"The run broke off after {done} of {wanted} claims: {document['error']}"
    if document.get("interrupted"):
        return f"The run was interrupted after {done} of {wanted} claims. What follows is what it had finished."
    return ""


def _failed(claims: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """What a reader must see first: the number of a claim, and what is wrong with it."""
    for number, claim in enumerate(claims, 1):
        for v in claim["variants"]:
            if v["verdict"] in ("VIOLATED", "REFUTED"):
                yield number, f"{claim['id']}, {v['name']} is {v['verdict']}"
            elif claim["mutants"] and v.get("below_floor"):
                yield number, f"{claim['id']}, {v['name']} was decided on fewer instances than its floor asks for"
        for m in claim["mutants"]:
            if not m["refuted"]:
                yield number, f"{claim['id']}: the false neighbour {m['name']} survives"


def _claim(claim: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    said = {v["name"]: v["statement"] for v in about.get("variants", ())}
    variants = [_variant(v, said.get(v["name"], "")) for v in claim["variants"]]
    optional = {"mutants": claim.get("mutants", ()), "file": claim.get("file")}
    about = {"proof": "", **about} if about else {}
    return {**claim, **optional, "about": about, "variants": variants, "trends": _trends(claim)}


def _trends(claim: Mapping[str, Any]) -> Drawing | None:
    """The figure of what was measured of laws about growing sizes, as ``jacspec verify --plot`` draws it."""
    told = {v["name"]: v["trend"] for v in claim["variants"] if v.get("trend")}
    if not told or not all("halves" in trend for trend in told.values()):  # a document of an older version
        return None
    from ..plots import render as rendered
    from ..plots import trend_figure

    title = f"{claim['id']}: what was measured at each size"
    svg = rendered(trend_figure([Trend.from_json(name, trend) for name, trend in told.items()], title), "svg")
    words = (
        f"{title}, for {len(told)} law{'s' * (len(told) > 1)}: the value with its interval against n, beside the power "
        "or the limit that is predicted, and below it the exponent from each size to the next, or the distance. The "
        "fitted numbers are told with each form."
    )
    return Drawing(svg, words)


def _variant(v: Mapping[str, Any], statement: str) -> dict[str, Any]:
    witness = v.get("witness")
    return {
        **v,
        "sign": VERDICTS[v["verdict"]][0],
        "statement": statement,
        "instance": "" if witness is None else format_spec(witness),
        "figure": _figure(v.get("slacks")),
        "trend": v.get("trend"),
    }


def _figure(histogram: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A histogram of slacks, and what it has no place for."""
    from markupsafe import Markup

    strip = None if not histogram else slack_strip("", histogram)
    if not histogram or strip is None:
        return None
    svg = draw_strips([strip], "slack", slack_words(histogram))
    beyond = f"{histogram['infinite']} more: infinite, the bounded side is 0." if histogram["infinite"] else ""
    return {"svg": Markup(svg), "beyond": beyond}  # its words are escaped


def _formula(text: str) -> Any:
    from markupsafe import Markup

    return Markup(markup(text))  # what it returns is escaped, or MathML of known elements


def _statement(text: str) -> Any:
    from markupsafe import Markup

    return Markup(markup(text, display=True))


def _slack(value: float | str | None) -> str:
    return value or "" if value is None or isinstance(value, str) else decimal(value)


def _decimal(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _drawn(drawing: Drawing, prefix: str) -> Any:
    from markupsafe import Markup

    return Markup(inline(drawing.svg, prefix, drawing.title))  # serialised from a tree: its texts are escaped
