"""The claims of docs/theory.md section 1: values by hand."""

from __future__ import annotations

import numpy as np
import pytest

from jacspec import bounds
from verification.arithmetic import Multiprecision
from verification.claim import FLOAT64, Verdict, check
from verification.claims import load
from verification.instances import Instance
from verification.verify import Options, verify_claim

# -- by hand --------------------------------------------------------------------------------------------------------


def test_gram_by_hand() -> None:
    one = {"A": [[1.0, 2.0]], "B": [[3.0]], "C": [[5.0, -1.0]], "D": [[2.0]]}
    instance = Instance({}, {name: np.array(M) for name, M in one.items()})
    side = load("khatri-rao-gram").sides(instance, FLOAT64)["gram"]  # (5 - 2) * 6 on both sides; |.|: (5 + 2) * 6
    assert side.left.value == 0
    assert side.right.value == 42


def test_schur_by_hand() -> None:
    # P = diag(1, 4), Q = diag(9, 1): P o Q = diag(9, 4); 1 * 1 <= 4 and 9 <= 9 * 4.
    instance = Instance({}, {"FP": np.diag([1.0, 2.0]), "FQ": np.diag([3.0, 1.0])})
    sides = load("schur-bounds").sides(instance, FLOAT64)
    found = [sides["lower"].left, sides["lower"].right, sides["upper"].left, sides["upper"].right]
    assert [round(x.value, 12) for x in found] == [1, 4, 9, 36]


def test_spectrum_by_hand() -> None:
    # Rows at 60 degrees: Gram (1, 1/2), powers (1, 1/2^r): sigma^2 = 1 -+ 2^-r. B = (2; 3).
    X = np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    instance = Instance({"r": 1}, {"X": X, "B": np.array([[2.0], [3.0]])})
    sides = load("khatri-rao-spectrum").sides(instance, FLOAT64)
    assert sides["lower"].left.contains(2 * np.sqrt(0.5))
    assert sides["nondecreasing"].right.contains(np.sqrt(0.75))
    assert sides["nonincreasing"].left.contains(np.sqrt(1.25))
    # Gram of X * B: (4, 3; 3, 9), eigenvalues (13 -+ sqrt(61)) / 2.
    assert sides["upper"].left.contains(np.sqrt((13 + np.sqrt(61)) / 2))


def test_structural_zeros_are_zero_on_both_sides() -> None:
    claim = load("khatri-rao-spectrum")
    for rows in ("repeated", "antipodal"):
        spec = {"n": 3, "d": 3, "rows": rows, "angle": 0.1, "b": 2, "r": 2, "seed": 1}
        record = check(claim, claim.domain.build(spec, 0))["nondecreasing"]
        assert (record.verdict, record.left, record.right) == (Verdict.HOLDS, 0.0, 0.0)


def test_singular_values_in_60_digits() -> None:
    m = Multiprecision(60)
    with m.working():
        # Equal entries: of rank one. And singular values 1 and 1e-20, which 60 digits of a Gram matrix would lose.
        assert m.sigma_min(m.matrix(np.full((2, 3), 0.1))) == 0
        low = m.sigma_min(m.matrix([[1.0, 0.0], [1.0, 1e-20]]))
        assert abs(low * m.number(2) ** 0.5 / m.number(1e-20) - 1) < 1e-30


# -- a user's X -----------------------------------------------------------------------------------------------------


def test_on_a_users_rows() -> None:
    X = np.random.default_rng(3).standard_normal((7, 4))
    X /= np.linalg.norm(X, axis=1)[:, None]
    report = verify_claim(load("khatri-rao-spectrum"), Options(X=X))
    assert {v.verdict for v in report.variants} == {Verdict.HOLDS}
    assert all(v.instances == 4 for v in report.variants)


# -- every factor counts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slug", "name", "wrong"),
    [
        ("schur-bounds", "schur_lower", lambda diagonal, low: low),
        ("schur-bounds", "schur_lower", lambda diagonal, low: diagonal),
        ("schur-bounds", "schur_upper", lambda diagonal, top: top),
        ("schur-bounds", "schur_upper", lambda diagonal, top: diagonal),
        ("khatri-rao-spectrum", "khatri_rao_lower", lambda row, low: low),
        ("khatri-rao-spectrum", "khatri_rao_lower", lambda row, low: row),
        ("khatri-rao-spectrum", "khatri_rao_upper", lambda row, norm: norm),
        ("khatri-rao-spectrum", "khatri_rao_upper", lambda row, norm: row),
    ],
)
def test_a_dropped_factor_is_noticed(slug: str, name: str, wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, name, wrong)
    assert Verdict.VIOLATED in {v.verdict for v in verify_claim(load(slug), Options(examples=100)).variants}
