"""LaTeX as one types it without TeX, for terminals: ``sigma_min(J) <= ||J||`` of ``\\sigma_{\\min}(J) \\le \\|J\\|``.

The tree that the browser gets (see `formulas`) is written out in the letters of a keyboard, so that there is one reader
of LaTeX and not two.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from xml.etree import ElementTree

from .formulas import mathml, pieces

__all__ = ["typed", "typed_formula"]

# ruff: noqa: RUF001 (signs that look like others are the subject)
_SIGNS = {
    "≤": "<=",
    "≥": ">=",
    "⪯": "<=",
    "⪰": ">=",
    "≠": "!=",
    "≈": "~=",
    "≍": "~",
    "∼": "~",
    "−": "-",
    "±": "+-",
    "→": "->",
    "⇒": "=>",
    "⟹": "=>",
    "∘": "o",
    "⊗": "(x)",
    "×": "x",
    "∈": "in",
    "∪": "or",
    "∩": "and",
    "∞": "inf",
    "∑": "sum",
    "∏": "prod",
    "∫": "int",
    "∂": "d",
    "∇": "grad",
    "∃": "there is",
    "∀": "for all",
    "⊤": "T",
    "⊥": "perp",
    "⟂": "perp",
    "†": "+",
    "′": "'",
    "″": "''",
    "‖": "||",
    "∥": "||",
    "∣": "|",
    "⟨": "<",
    "⟩": ">",
    "𝔼": "E",
    "ℝ": "R",
    "ϵ": "eps",
    "ε": "eps",
    "…": "...",
    "⋯": "...",
}
_ACCENTS = {"¯": "bar", "~": "tilde", "˜": "tilde", "^": "hat", "ˆ": "hat", "→": "vec", "˙": "dot"}
#: Names that multiply a bracket after them, where others are called with it.
_FACTORS = {*"abcdhklmnrstvwxy", "alpha", "beta", "gamma", "delta", "eps", "eta", "theta", "mu", "nu", "pi", "rho"}
_RELATIONS = {"<=", ">=", "!=", "~=", "~", "->", "=>", "=", "<", ">", "+", "-", "+-", "o", "(x)", "in", "*", ":"}


@dataclass(frozen=True)
class _Token:
    """A piece of the line: a name or number, a relation, an opening or closing sign, punctuation, or words."""

    text: str
    kind: str = "atom"


def typed(text: str) -> str:
    """Words and LaTeX in one line, as claims have them, for a terminal.

    Examples
    --------
    >>> typed(r"\\|X\\| in place of \\|X\\|^2")
    '||X|| in place of ||X||^2'
    >>> typed(r"at most $\\sqrt{k/2}$ units")
    'at most sqrt(k/2) units'
    """
    return "".join(typed_formula(piece) if is_formula else piece for is_formula, piece in pieces(text))


def typed_formula(formula: str) -> str:
    """One formula; as it stands where it is not understood.

    Examples
    --------
    >>> typed_formula(r"\\|J(W') - J(W)\\| \\le \\frac{B_2}{\\sqrt k} \\|v\\|_\\infty")
    "||J(W') - J(W)|| <= B_2/sqrt(k) ||v||_inf"
    """
    tree = mathml(formula) if re.search(r"[\\{]", formula) else None  # what is typed already
    return formula if tree is None else _joined(_tokens(ElementTree.fromstring(tree)))


def _letters(text: str) -> str:
    """A sign by the keys that one would press."""
    if text in _SIGNS:
        return _SIGNS[text]
    if len(text) == 1 and not text.isascii():
        name = unicodedata.name(text, "").removeprefix("MATHEMATICAL ").removeprefix("ITALIC ").removeprefix("BOLD ")
        greek = re.match(r"GREEK (SMALL|CAPITAL) LETTER (\w+)|GREEK (\w+) SYMBOL", name)
        if greek:
            word = (greek[2] or greek[3]).lower().replace("lamda", "lambda")
            return word.capitalize() if greek[1] == "CAPITAL" else word
    return text.replace("\xa0", " ")


def _tokens(node: ElementTree.Element) -> list[_Token]:
    tag, parts = node.tag, list(node)
    if tag == "mtext":
        return [_Token(_letters(node.text or ""), "words")]
    if tag == "mspace":
        return [_Token(" ", "words")]
    if tag in ("mi", "mn", "mo"):
        return _signs(_letters((node.text or "").strip()), tag)
    if tag in ("msub", "msup", "msubsup", "munder", "mover", "munderover"):
        return _scripted(tag, parts)
    if tag == "mfrac":
        above, below = (_grouped(_joined(tokens), len(tokens)) for tokens in map(_tokens, parts))
        return [_Token(f"{above}/{below}", "fraction")]
    if tag == "msqrt":
        return [_Token(f"sqrt({_joined([t for part in parts for t in _tokens(part)])})")]
    return [token for part in parts for token in _tokens(part)]


def _signs(text: str, tag: str) -> list[_Token]:
    if not text:
        return []
    if text in _RELATIONS and not (tag == "mi" and text in "<>"):
        return [_Token(text, "relation")]
    if text in ("(", "[", "{") or (tag == "mi" and text == "<"):
        return [_Token(text, "open")]
    if text in (")", "]", "}") or (tag == "mi" and text == ">"):
        return [_Token(text, "close")]
    if text in ("||", "|"):
        return [_Token(text, "fence")]
    return [_Token("*", "relation")] if text == "·" else [_Token(text, "comma" if text in (",", ";") else "atom")]


def _scripted(tag: str, parts: list[ElementTree.Element]) -> list[_Token]:
    base, scripts = _tokens(parts[0]), [_tokens(part) for part in parts[1:]]
    if tag == "mover" and parts[1].text in _ACCENTS:
        return [_Token(_joined(base) + _ACCENTS[parts[1].text or ""])]
    signs = {"msub": "_", "munder": "_", "msup": "^", "mover": "^"}.get(tag, "_^")
    tail = ""
    for sign, tokens in zip(signs, scripts, strict=True):
        script = re.sub(r" ?(->|[-+=<>!]+) ?|(?<=\bo) (?=[\d(rp])", r"\1", _joined(tokens))
        indices = sign == "_" and script.isalnum()  # those of Q_ij are no product
        primes = script[: len(script) - len(script.lstrip("'"))]  # the rest of W'^T is a power
        script = script.removeprefix(primes)
        tail += primes + (sign + _grouped(script, 1 if indices else len(tokens) - len(primes)) if script else "")
    if not base:
        return [_Token(tail)]
    return [*base[:-1], _Token(base[-1].text + tail, base[-1].kind)]


def _grouped(text: str, tokens: int) -> str:
    """In parentheses unless it is one name, one number or one call."""
    single = tokens == 1 and re.fullmatch(r"[\w'.*+]+|[\w']+\([^()]*\)", text)
    call = re.fullmatch(r"[A-Za-z]+(_\w+)?\([^()]*\)([_^]\w+)*|\([^()]*\)", text)
    return text if single or call else f"({text})"


def _joined(tokens: list[_Token]) -> str:
    out, fences = "", list[str]()
    before = _Token("", "open")
    for i, token in enumerate(tokens):
        kind = token.kind
        if token.text == "*" and before.kind == "open" and tokens[i + 1 : i + 2] and tokens[i + 1].kind == "fence":
            token, kind = _Token("."), "atom"  # the norm of nothing in particular
        if kind == "fraction":  # a factor among others
            alone = before.kind in ("open", "relation", "comma", "words")
            last = i + 1 == len(tokens) or tokens[i + 1].kind in ("close", "relation", "comma", "words", "fence")
            token = _Token(token.text if alone and last else f"({token.text})")
            kind = "atom"
        if kind == "fence":
            sign = "||" if token.text.startswith("||") else "|"
            kind = "close" if fences and fences[-1] == sign and before.kind not in ("relation", "open") else "open"
            if kind == "close":
                fences.pop()
            else:
                fences.append(sign)
        out += _between(before, token, kind, out) + token.text
        # A sign after a bracket or a relation belongs to the number: -1.
        unary = (
            kind == "relation" and token.text in ("+", "-", "+-", "*") and before.kind in ("open", "relation", "comma")
        )
        before = _Token(token.text, "open" if unary else kind)
    return re.sub(r" {2,}", " ", re.sub(r" ([-+]) (?=[)])", r"\1", out)).strip()


def _between(before: _Token, token: _Token, kind: str, out: str) -> str:
    if not out or out.endswith((" ", "/")) or token.text.startswith((" ", ",", ".", ";", ":")) or before.kind == "open":
        return ""
    if before.kind == "relation" or kind == "relation":
        return " "
    if before.kind == "comma":
        return " "
    if kind in ("close", "comma"):
        return ""
    if kind == "open":
        name = re.split("[_']", before.text)[0]
        called = before.kind == "atom" and token.text in ("(", "[", "{") and "^" not in before.text
        return "" if called and name not in _FACTORS and not name.replace(".", "").isdigit() else " "
    if before.kind == "close":
        return "" if token.text.startswith(("/", "'", "!", ".")) else " "
    if token.text.startswith(("/", "'", "!", ".")) or before.text.endswith("/"):
        return ""
    return " " if len(before.text) > 1 or len(token.text) > 1 else ""
