"""Formulas as terminals show them: in the letters of a keyboard, with no sign of LaTeX left, and with nothing lost."""

from __future__ import annotations

import re

import pytest

from verification.claims import SLUGS, load
from verification.report.formulas import pieces
from verification.report.typed import typed, typed_formula


@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        (r"\sigma_{\min}(J(W_0)) \ge \|v\| \sqrt{\lambda(X)/2}", "sigma_min(J(W_0)) >= ||v|| sqrt(lambda(X)/2)"),
        (r"\tfrac12 \eta\beta^2", "(1/2) eta beta^2"),
        (r"\frac{a + b}{2 c} \le 1", "(a + b)/(2c) <= 1"),
        (r"\mathbb{E} \|r_t\|^2", "E ||r_t||^2"),
        (r"\max_i |\langle w_l, x_i \rangle|", "max_i |<w_l, x_i>|"),
        (r"X^{*(r+1)}", "X^(*(r+1))"),
        (r"\rho (1 - \bar\eta)", "rho (1 - etabar)"),
        (r"\phi'(0^+) - 1", "phi'(0^+) - 1"),
        (r"A \circ B, \text{ where } A \succeq 0", "A o B, where A >= 0"),
        (r"\notacommand{x}", r"\notacommand{x}"),
        ("no LaTeX in it, s* < 1", "no LaTeX in it, s* < 1"),
    ],
)
def test_formulas_as_one_types_them(latex: str, shown: str) -> None:
    assert typed_formula(latex) == shown


def test_dollars_are_where_formulas_begin_and_end() -> None:
    text = r"for $x_i$ (or $\|X\|$-Lipschitz), at $\eta \le 1$."
    assert "".join(piece for _, piece in pieces(text)) == text.replace("$", "")
    assert typed(text) == "for x_i (or ||X||-Lipschitz), at eta <= 1."
    assert pieces("worth $5") == ((False, "worth $5"),)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_text_of_a_claim_can_be_read_in_a_terminal(slug: str) -> None:
    claim = load(slug)
    texts = [v.statement for v in claim.variants] + [m.why for m in claim.mutants]
    texts += [*(a.text for a in claim.assumptions), claim.proof, claim.title, claim.source]
    for source, shown in [(claim.statement, typed_formula(claim.statement)), *((text, typed(text)) for text in texts)]:
        assert shown.isascii(), shown
        assert not re.search(r"[\\$]", shown), shown
        # Every number is still there, in its order.
        number = r"\d+(?:\.\d+)?"
        assert re.findall(number, shown) == re.findall(number, re.sub(r"\\t?frac(\d)(\d)", r"\1 \2", source)), shown
