r"""LaTeX as claims have it, for readers without TeX: words told from formulas, and MathML that needs no script.

A browser breaks no line inside a formula, so a formula is handed over in segments, cut before its relations and after
its commas: on a telephone each segment stays whole and the next one starts a new line.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from xml.etree import ElementTree

__all__ = ["LONG", "balanced", "markup", "mathml", "parts", "pieces", "segments"]

_PROSE = re.compile(r"[\"'(]?[A-Za-z]?[a-z]{2,}(?:['-][a-z]+)*\d*[\"')]?[,.;:]?")
_SHORT = {"as", "at", "by", "if", "in", "is", "it", "no", "of", "on", "or", "so", "to"}


# -- words and formulas ---------------------------------------------------------------------------------------------


def pieces(text: str) -> tuple[tuple[bool, str], ...]:
    r"""Words and LaTeX in one line, as claims have them, told apart.

    A text with dollars has its formulas between them, as in TeX: "at most ``$\|X\|^2$``". In a text without, such as
    "``\|X\|`` in place of ``\|X\|^2``", words outside braces are text, what stands between them is a formula: without a
    backslash all of it is text, and where the cut would leave a brace or a ``\left`` alone, all of it is one formula.

    Parameters
    ----------
    text : str

    Returns
    -------
    tuple of (bool, str)
        Whether a piece is a formula, and the piece. Put together they are the text.

    Examples
    --------
    >>> pieces(r"\|X\| in place of \|X\|^2, twice")
    ((True, '\\|X\\|'), (False, ' in place of '), (True, '\\|X\\|^2'), (False, ', twice'))
    >>> pieces(r"the $n$-fold product")
    ((False, 'the '), (True, 'n'), (False, '-fold product'))
    """
    if text.count("$") % 2 == 0 and "$" in text:  # one alone is money
        return tuple((i % 2 == 1, piece) for i, piece in enumerate(text.split("$")) if piece)
    if "\\" not in text:
        return ((False, text),)
    runs: list[tuple[bool, list[str]]] = []
    for token, depth in _tokens(text):
        is_word = depth == 0 and (token.rstrip(",.;:") in _SHORT or bool(_PROSE.fullmatch(token)))
        if token == "a" and runs and runs[-1][0]:  # an article, not a letter: it follows a word
            is_word = True
        ended = bool(runs) and runs[-1][1][-1].endswith(":")
        if not runs or runs[-1][0] != is_word or ended:
            runs.append((is_word, []))
        runs[-1][1].append(token)
    if not all(is_word or balanced(" ".join(tokens)) for is_word, tokens in runs):
        return ((True, text),)
    out: list[tuple[bool, str]] = []
    words = ""
    for i, (is_word, tokens) in enumerate(runs):
        run = " ".join(tokens)
        words += " " if i else ""
        if is_word:
            words += run
            continue
        formula = run.rstrip(",;:")  # punctuation at its end belongs to the sentence
        out += [(False, words)] if words else []
        out.append((True, formula))
        words = run[len(formula) :]
    return tuple([*out, (False, words)] if words else out)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Words between spaces, those within braces in one piece with what surrounds them, and the depth they are at."""
    start, depth, inside = 0, 0, False
    for i, letter in enumerate(text + " "):
        escaped = i > 0 and text[i - 1] == "\\"
        if letter in "{}" and not escaped:
            depth += 1 if letter == "{" else -1
            inside = True
        elif letter == " " and depth == 0 and not escaped:
            if start < i:
                yield text[start:i], int(inside)
            start, inside = i + 1, False


def balanced(formula: str) -> bool:
    r"""Whether no brace and no ``\left`` stands alone."""
    return formula.count("{") == formula.count("}") and formula.count(r"\left") == formula.count(r"\right")


#: Letters of LaTeX beyond which a statement is shown in parts.
LONG = 110
_BREAK = re.compile(
    r"(?P<after>[,;])\s*(?:\\ |\\qq?uad|(?<=;))\s*|"
    r"(?:\\ )?\s*(?=\\Rightarrow|\\implies)|\s*(?=\\text\{,? ?(?:except )?with probability)"
)


def parts(statement: str) -> list[str]:
    """A statement's parts: ended by a comma with a space beyond the usual, a semicolon, or before an arrow or a
    probability."""
    found_parts, start = [], 0
    for found in _BREAK.finditer(statement):
        head = statement[start : found.start()]
        closed = balanced(statement[: found.start()]) and head.count("(") == head.count(")")
        if closed and len(head) > LONG // 5:
            found_parts.append(head.strip() + (found["after"] or ""))
            start = found.end()
    return [
        part.replace(r"\text{ ", r"\text{", 1) if part.startswith(r"\text{ ") else part
        for part in (*found_parts, statement[start:])
    ]


# -- MathML ---------------------------------------------------------------------------------------------------------

_STEP = re.compile(
    r"(?P<open>[{(\[]|\\left(?![a-z]).|\\langle|\\[Bb]igg?\()|(?P<close>[})\]]|\\right(?![a-z]).|\\rangle|\\[Bb]igg?\))|"
    r"(?P<after>[,;:](?:\s*(?:\\ |\\qq?uad))?)|"
    r"(?P<before>\\(?:le|ge|to|asymp|Rightarrow|implies)(?![A-Za-z])|[=<>]|\\text(?=\{ ?[a-z]))|\\[A-Za-z]+|\\.|."
)
#: Segments shorter than this, in letters of LaTeX, stay with their neighbour.
_SHORTEST = 12


def segments(formula: str) -> list[str]:
    r"""A formula cut before its relations and after its commas, outside of every bracket.

    Examples
    --------
    >>> segments(r"\|J(W') - J(W)\| \le B_2 \|v\|_\infty \|X\| \|W' - W\|_F")
    ["\\|J(W') - J(W)\\|", "\\le B_2 \\|v\\|_\\infty \\|X\\| \\|W' - W\\|_F"]
    """
    cuts, depth = [0], 0
    for found in _STEP.finditer(formula):
        if found["open"]:
            depth += 1
        elif found["close"]:
            depth -= 1
        elif depth == 0 and (found["after"] or found["before"]):
            at = found.end() if found["after"] else found.start()
            head = formula[cuts[-1] : at].strip()
            # A script or a root may not lose what it belongs to.
            if len(head) >= _SHORTEST and not re.search(r"(?:[_^]|\\[A-Za-z]*(?:frac|sqrt))$", head):
                cuts.append(at)
    ends = [*cuts[1:], len(formula)]
    return [piece for a, b in zip(cuts, ends, strict=True) if (piece := formula[a:b].strip())]


_ELEMENTS = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "ms", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"),
    *("munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose"),
}
#: What latex2mathml, or a browser that reads its output, only knows by another spelling: it drops the columns of
#: ``aligned``, and gives ``\mathbb R`` an attribute that browsers ignore, ``\mathbb{R}`` its own character.
_SPELLING = (
    (re.compile(r"\\(begin|end)\{aligned\}"), r"\\\1{split}"),
    (re.compile(r"\\(mathbb|mathcal|mathbf) ([A-Za-z])"), r"\\\1{\2}"),
)
#: Bars around a number, between which browsers would leave the room of an operator.
_FENCES = ("|", "\u2016")
_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


@lru_cache(maxsize=4096)
def mathml(formula: str, *, display: bool = False) -> str | None:
    """A formula as one inline ``<math>`` element, or None where it is not understood.

    Parameters
    ----------
    formula : str
        LaTeX.
    display : bool
        Whether sums and fractions are as large as in a displayed formula.

    Returns
    -------
    str or None
        Only elements of MathML that show something, no link, no style, no handler: LaTeX of a stranger does no harm.
    """
    from latex2mathml.converter import convert

    for pattern, spelling in _SPELLING:
        formula = pattern.sub(spelling, formula)
    try:
        root = ElementTree.fromstring(convert(formula, display="inline"))
    except Exception:  # latex2mathml raises a dozen kinds, bare ones among them
        return None
    for element in root.iter():
        element.tag = element.tag.removeprefix(_NAMESPACE)
        if element.tag not in _ELEMENTS or "\\" in (element.text or ""):
            return None
        if any(not _harmless(name) for name in element.attrib):
            return None
        if element.tag == "mo" and element.text in _FENCES:
            element.attrib |= {"lspace": "0", "rspace": "0", "stretchy": "false"}
    root.set("displaystyle", "true" if display else "false")
    root.attrib.pop("display", None)
    return ElementTree.tostring(root, encoding="unicode")


def _harmless(attribute: str) -> bool:
    return attribute not in ("href", "src", "style", "class", "id") and not attribute.startswith(("on", "{"))


def _math(formula: str, *, display: bool) -> str:
    """Its segments as MathML, a space between one and the next; LaTeX as it was typed where it is not understood."""
    found = [mathml(piece, display=display) for piece in segments(formula)]
    if any(piece is None for piece in found):
        whole = mathml(formula, display=display)
        return whole or f"<code>{html.escape(formula)}</code>"
    return " ".join(piece for piece in found if piece is not None)


def markup(text: str, *, display: bool = False) -> str:
    """A text of a claim as HTML: words escaped, formulas as MathML.

    Parameters
    ----------
    text : str
        Words and LaTeX, as `pieces` takes them.
    display : bool
        All of it is one displayed formula, a paragraph for each of its `parts` where it is long.

    Returns
    -------
    str
    """
    if display:
        lines = parts(text) if len(text) > LONG else [text]
        return "".join(f"<p>{_math(line, display=True)}</p>" for line in lines)
    return "".join(
        _math(piece, display=False) if is_formula else html.escape(piece) for is_formula, piece in pieces(text)
    )
