"""The second opinion: it accepts what is true, and nothing that has been made false, by however little."""

from __future__ import annotations

import ast
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import flint
import numpy as np
import pytest
from families import KINKED, SMOOTH

from jacspec import InputError, ShallowNet
from jacspec._files import array_digest
from jacspec.activations import activation
from jacspec.certificates import Certificate, certify, files
from jacspec.enclosure.elementwise import phi_ball
from verification import recheck as room
from verification.recheck import Rejected, read, recheck
from verification.recheck.activations import piecewise_slopes, smooth
from verification.recheck.balls import below, norm, precision

ROOT = Path(__file__).resolve().parent.parent


def problem(rng: np.random.Generator, name: str, n: int, d: int, k: int, size: float) -> tuple[ShallowNet, Any, Any]:
    """A network and labels at the distance `size` of its outputs."""
    X = rng.standard_normal((n, d))
    if rng.random() < 0.7:
        X /= np.linalg.norm(X, axis=1)[:, None]
    net = ShallowNet(rng.standard_normal((k, d)), rng.standard_normal(k), name)
    u = rng.standard_normal(n)
    return net, X, net(X) + size * u / np.linalg.norm(u)


def made(name: str, method: str = "auto", *, size: float = 1e-8, eta_share: float | None = None) -> Certificate:
    """A certificate of a small problem."""
    rng = np.random.default_rng(5)
    net, X, y = problem(rng, name, 4 if name == "linear" else 5, 4, 9, size)
    found = certify(net, X, y, method=method)  # type: ignore[arg-type]
    if eta_share is not None:
        assert found.eta is not None
        found = certify(net, X, y, eta=eta_share * found.eta)
    assert found.certified, found.reason
    return found


def rewritten(path: Path, **changes: Any) -> None:
    """The same certificate with some numbers or arrays replaced, and an honest hash."""
    arrays, meta = files.read(path)
    for name, value in changes.items():
        (arrays if name in arrays else meta)[name] = value
    meta.pop("format")
    if "inputs_sha256" not in changes:
        meta["inputs_sha256"] = array_digest({name: arrays[name] for name in ("X", "y", "W", "v")}).hex()
    files.write(path, arrays, meta)


# -- independence ---------------------------------------------------------------------------------------------------


def test_it_shares_no_code_with_the_producer() -> None:
    for path in (ROOT / "verification" / "recheck").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not [name for name in names if name.split(".")[0] in ("jacspec", "scipy", "verification")], path
    code = "import sys, verification.recheck; sys.exit(any(m.split('.')[0] == 'jacspec' for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("name", SMOOTH)
def test_activations_agree_with_the_other_ball_arithmetic(name: str) -> None:
    phi, other = smooth(name), activation(name)
    assert phi is not None
    points = [0.0, 1e-320, -1e-9, 0.3, -0.7, 1.4142, 2.4, -5.0, 40.0, -40.0, 800.0, -800.0, 1e8, -1e8]
    with precision(160):
        for z in points:
            ours = (phi.value(flint.arb(z)), phi.derivative(flint.arb(z)))
            for a, b in zip(ours, phi_ball(other, flint.arb(z)), strict=True):
                assert a.is_finite()
                assert a.overlaps(b)
                assert a.rad() < 1e-25 * (1 + abs(a.mid()))
        B2 = phi.B2()
        assert other.B2.lower <= B2 <= other.B2.upper
        if phi.B1 is not None:
            assert other.B1.lower <= phi.B1().upper()
            assert phi.B1().lower() <= other.B1.upper
    # The constants are suprema: no secant is steeper.
    x = np.linspace(-6, 6, 4001)
    with np.errstate(under="ignore"):
        d = other.derivative(x)
    assert np.max(np.abs(np.diff(d)) / np.diff(x)) <= float(B2) * (1 + 1e-9)
    if phi.B1 is not None:
        assert np.max(np.abs(d)) <= float(phi.B1().upper()) * (1 + 1e-12)


def test_slopes() -> None:
    assert piecewise_slopes("relu") == (0, 1)
    assert piecewise_slopes("leaky_relu") == (flint.arb(0.01), 1)
    assert piecewise_slopes("leaky_relu:slope=0.3") == (flint.arb(0.3), 1)
    assert piecewise_slopes("tanh") is None
    assert piecewise_slopes("leaky_relu:slope=x") is None
    assert smooth("relu") is None


# -- what is true ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SMOOTH, *KINKED])
def test_valid(name: str, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    made(name).save(path)
    finding = recheck(path)
    assert finding.valid, finding.reason
    assert finding.bits
    assert finding.proved
    assert "interpolator" in finding.reason


def test_valid_newton_and_long_steps(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    for found in (made("tanh", "newton", size=1e-4), made("tanh", eta_share=1.4), made("tanh", eta_share=0.1)):
        found.save(path)
        finding = recheck(path)
        assert finding.valid, finding.reason


@pytest.mark.parametrize("name", [*SMOOTH, *KINKED])
@pytest.mark.parametrize("method", ["auto", "newton"])
def test_a_residual_that_vanishes(name: str, method: str, tmp_path: Path) -> None:
    """Units that cancel: f(W) = y exactly, which balls see as numbers around zero."""
    if method == "newton" and name in KINKED:
        return
    net = ShallowNet(np.tile([[0.3, 0.1]], (3, 1)), [0.5, 0.5, -1.0], name)
    found = certify(net, [[0.6, 0.8]], [0.0], method=method)  # type: ignore[arg-type]
    assert found.certified, found.reason
    found.save(tmp_path / "c.npz")
    finding = recheck(tmp_path / "c.npz")
    assert finding.valid, finding.reason


def test_norms_are_upper_bounds() -> None:
    wide = [flint.arb(3, 0.5), flint.arb(0, 4), flint.arb(-2, 0.25)]
    with precision(192):
        bound = norm(wide)
        assert bound >= flint.arb(33.3125).sqrt().lower()  # of 3.5, 4 and 2.25
        assert bound <= 1.000001 * flint.arb(33.3125).sqrt()
        assert norm([flint.arb(0), flint.arb(0)]) == 0
        assert not below(norm([flint.arb("nan")]), flint.arb(1e300))
        assert not below(norm([flint.arb(1), flint.arb(0, "inf")]), flint.arb(1e300))


def test_random_certificates_are_valid(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Every certificate of random problems, mostly near the edge, passes; --slow: 10,000 of them."""
    rng, path, made_so_far, tried = np.random.default_rng(11), tmp_path / "c.npz", 0, 0
    wanted = 10_000 if request.config.getoption("--slow") else 150
    while made_so_far < wanted:
        tried += 1
        name = str(rng.choice([*SMOOTH, *KINKED]))
        n, d = (int(t) for t in rng.integers(1, 7, 2))
        k = int(rng.integers(1, 9)) + -(-n // d)
        net, X, y = problem(rng, name, n, d, k, 10.0 ** rng.uniform(-14, 0.5))
        if rng.random() < 0.15:
            X[-1] = X[0] + 10.0 ** rng.uniform(-12, -1) * X[-1]
        method = str(rng.choice(["kantorovich", "newton"])) if name in SMOOTH else "relu"
        found = certify(net, X, y, method=method)  # type: ignore[arg-type]
        if not found.certified:
            continue
        made_so_far += 1
        found.save(path)
        finding = recheck(path)
        assert finding.valid, (name, method, finding.reason)
    assert made_so_far > 0.3 * tried


def test_certificates_at_the_very_edge_are_valid(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Residuals that put h within 1e-15 to 0.1 of 1, on either side; --slow: 3,000 certificates."""
    rng, path, certified, refused = np.random.default_rng(77), tmp_path / "c.npz", 0, 0
    wanted = 3_000 if request.config.getoption("--slow") else 60
    while certified < wanted:
        name = str(rng.choice(SMOOTH[:-1]))
        n, d = (int(t) for t in rng.integers(1, 7, 2))
        net, X, y = problem(rng, name, n, d, int(rng.integers(1, 9)) + -(-n // d), 1e-12)
        base = certify(net, X, y, method="kantorovich")
        if not base.certified:
            continue
        assert base.sigma_min is not None
        assert base.lipschitz is not None
        share = 1 - rng.choice([-1, 1]) * 10.0 ** rng.uniform(-15, -1)
        u = rng.standard_normal(n)
        size = share * base.sigma_min.value**2 / (2 * base.lipschitz.value)
        found = certify(net, X, net(X) + size * u / np.linalg.norm(u), method="kantorovich")
        if found.certified:
            certified += 1
            found.save(path)
            finding = recheck(path)
            assert finding.valid, (name, share, finding.reason)
        else:
            refused += 1
    assert refused > wanted / 3


# -- what is false --------------------------------------------------------------------------------------------------

FALSE = {
    "sigma_min": 1 + 1e-6,
    "residual": 1 - 1e-2,
    "lipschitz": 0.3,
    "beta": 0.5,
    "h": 1 - 1e-6,
    "distance": 1 - 1e-2,
    "rate": 1 + 1e-6,
    "eta": 2.5,
    "path_constant": 1.01,
    "newton_step": 1 - 1e-6,
}
_OF = {
    "interpolation-certificate": tuple(n for n in FALSE if n != "newton_step"),
    "newton-certificate": ("sigma_min", "residual", "newton_step", "lipschitz", "h", "distance"),
    "interpolation-certificate-relu": ("sigma_min", "residual", "h", "distance"),
}


@pytest.mark.parametrize(("name", "method"), [("tanh", "kantorovich"), ("softplus", "newton"), ("relu", "relu")])
def test_each_claimed_number_is_held_against_the_truth(name: str, method: str, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    found = made(name, method, size=1e-4 if method != "relu" else 1e-8)
    found.save(path)
    meta = files.read(path)[1]
    for number in _OF[found.method]:
        found.save(path)
        # How far a unit of ReLU goes is known to what float64 leaves of the step.
        factor = 0.99 if (method, number) == ("relu", "h") else FALSE[number]
        rewritten(path, **{number: meta[number] * factor})
        finding = recheck(path)
        assert not finding.valid, number
        assert finding.reason.startswith("not proved"), finding.reason


def test_other_inputs_are_rejected(tmp_path: Path) -> None:
    path, rng = tmp_path / "c.npz", np.random.default_rng(0)
    for name in ("tanh", "relu"):
        found = made(name)
        for array, value in (
            ("y", found.y + 1e-4),
            ("X", found.X + 1e-4 * rng.standard_normal(found.X.shape)),
            ("W", found.net.W + 1e-4 * rng.standard_normal(found.net.W.shape)),
            ("v", found.net.v * (1 + 1e-4)),
            ("activation", "softplus" if name == "tanh" else "leaky_relu:slope=0.5"),
        ):
            found.save(path)
            rewritten(path, **{array: value})
            assert not recheck(path).valid, array


def test_relu_steps_and_units_are_held_against_the_truth(tmp_path: Path) -> None:
    path, found = tmp_path / "c.npz", made("relu")
    assert found.units is not None
    assert found.step is not None
    moved = found.step.copy()
    moved[np.flatnonzero(found.units)[0]] += 50.0  # across its kink, whatever else follows
    none, other = np.zeros_like(found.units), found.units.copy()
    other[np.flatnonzero(found.units)[0]] = False  # it moves, and is said to stay
    for changes in ({"step": moved}, {"units": none}, {"units": other}):
        found.save(path)
        rewritten(path, **changes)
        assert not recheck(path).valid


def test_a_unit_on_its_kink_may_not_move(tmp_path: Path) -> None:
    path, found = tmp_path / "c.npz", made("relu")
    assert found.units is not None
    W = found.net.W.copy()
    W[np.flatnonzero(found.units)[0]] = 0.0
    found.save(path)
    rewritten(path, W=W)
    finding = recheck(path)
    assert not finding.valid
    assert "kink" in finding.reason


def test_impossible_problems_pass_no_claims_at_all(tmp_path: Path) -> None:
    """kd < n, equal rows with different labels: whatever is claimed of them."""
    path = tmp_path / "c.npz"
    found = made("softplus")
    X = found.X.copy()
    X[1] = X[0]
    W, v = found.net.W[:1], found.net.v[:1]
    for changes in ({"X": X}, {"W": W, "v": v}):
        for sigma in (found.sigma_min.lower, 1e-3, 1e-9, 1e-160):  # type: ignore[union-attr]
            found.save(path)
            rewritten(path, **changes, sigma_min=sigma, residual=1e-300, h=0.5, rate=1e-300, distance=1e300)
            assert not recheck(path).valid


# -- files ----------------------------------------------------------------------------------------------------------


def test_one_changed_bit(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    made("tanh").save(path)
    content = path.read_bytes()
    for bit in np.random.default_rng(0).integers(8 * len(content), size=300).tolist():
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(bytes(changed))
        finding = recheck(path)
        assert not finding.valid
        assert finding.bits == 0
    path.write_bytes(b"")
    assert not recheck(path).valid


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "NOT CERTIFIED"},
        {"method": "wishful"},
        {"activation": 3},
        {"sigma_min": None},
        {"sigma_min": True},
        {"rate": "inf"},
        {"h": -1.0},
        {"y": np.ones(3)},
        {"v": np.full(9, np.nan)},
        {"W": np.ones(3)},
        {"X": np.ones((5, 4), dtype=np.float32)},
        {"activation": "swishy"},
        {"eta": 0.0},
        {"rate": 0.0},
        {"method": ["interpolation-certificate"]},
        {"method": {}},
        {"h": 10**400},
        {"distance": -(10**400)},
        {"newton_step": 1e-9},  # claimed, but not of this method
    ],
)
def test_what_is_no_certificate(changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    made("tanh").save(path)
    rewritten(path, **changes)
    finding = recheck(path)
    assert not finding.valid
    assert finding.reason


def test_arrays_that_do_not_belong(tmp_path: Path) -> None:
    path, found = tmp_path / "c.npz", made("tanh")
    found.save(path)
    arrays, meta = files.read(path)
    meta.pop("format")
    files.write(path, {**arrays, "more": np.ones(2)}, meta)
    with pytest.raises(Rejected, match="arrays"):
        read(path)
    with pytest.raises(OSError, match="No such file"):
        recheck(tmp_path / "missing.npz")
    assert room.Finding(True, "x").valid


@pytest.mark.parametrize(("name", "method", "size"), [("softplus", "newton", 1e-4), ("relu", "relu", 1e-8)])
def test_what_a_method_does_not_prove_may_not_be_claimed(name: str, method: str, size: float, tmp_path: Path) -> None:
    path, found = tmp_path / "c.npz", made(name, method, size=size)
    for claim in ({"rate": 0.9}, {"eta": 5.0}, {"path_constant": 1.0}, {"beta": 1e-9}):
        found.save(path)
        rewritten(path, **claim)
        finding = recheck(path)
        assert not finding.valid
        assert "says nothing" in finding.reason


def test_a_certificate_that_contradicts_itself_is_not_loaded(tmp_path: Path) -> None:
    path, found = tmp_path / "c.npz", made("tanh")
    found.save(path)
    Certificate.load(path)
    estimates = files.read(path)[1]["estimates"]
    for changes in (
        {"estimates": {**estimates, "h": [1e-99, 0.0, ""]}},
        {"h": 1e-99},
        {"sigma_min": 10**400},
        {"inputs_sha256": "0" * 64},
        {"y": found.y + 1e-9, "inputs_sha256": found.inputs_sha256()},
    ):
        found.save(path)
        rewritten(path, **changes)
        with pytest.raises(InputError):
            Certificate.load(path)


def sealed(path: Path, members: list[tuple[str, bytes]], how: int = zipfile.ZIP_STORED) -> None:
    """An archive of any members, with an honest hash."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
        archive.comment = b"jacspec.certificate/1 sha256=" + b"0" * 64
    head = raw.getvalue()[:-64]
    path.write_bytes(head + hashlib.sha256(head).hexdigest().encode())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_no_certificate_has(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    made("relu").save(path)
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    sealed(path, members)
    assert recheck(path).valid
    units = dict(members)["units.npy"]
    two = [(n, units[:-9] + bytes(2 * b for b in units[-9:]) if n == "units.npy" else c) for n, c in members]
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    huge = [(n, header.getvalue() + c[-160:] if n == "X.npy" else c) for n, c in members]
    for others, words in (
        ([*members, members[0]], "each name once"),
        ([*members, ("X", b"junk")], "each name once"),
        ([("X" if n == "X.npy" else n, b"junk") for n, _ in members], "each name once"),
        (two, "neither false nor true"),
        (huge, "cannot be read"),
    ):
        sealed(path, others)
        finding = recheck(path)
        assert not finding.valid
        assert words in finding.reason
    with pytest.raises(InputError):
        Certificate.load(path)
    sealed(path, members, zipfile.ZIP_DEFLATED)  # what is small may be a bomb
    assert "compressed" in recheck(path).reason
    with pytest.raises(InputError, match="ValueError"):
        Certificate.load(path)
    head = members[0][1] + b"jacspec.certificate/1 sha256="
    path.write_bytes(head + hashlib.sha256(head).hexdigest().encode())
    assert "cannot be read" in recheck(path).reason


def test_it_says_of_which_problem(tmp_path: Path) -> None:
    path, found = tmp_path / "c.npz", made("tanh")
    found.save(path)
    about = recheck(path).about
    assert about.startswith("tanh, n = 5, d = 4, k = 9;")
    assert about.endswith(found.inputs_sha256())
    rewritten(path, inputs_sha256=found.inputs_sha256().upper())
    assert "inputs_sha256" in recheck(path).reason
    fortran = {name: np.asfortranarray(a) for name, a in files.read(path)[0].items()}
    found.save(path)
    rewritten(path, **fortran)
    assert recheck(path).about == about


def test_what_is_too_large_is_said_to_be(tmp_path: Path) -> None:
    path, ones = tmp_path / "c.npz", np.ones((30_000, 1))
    made("tanh").save(path)
    rewritten(path, X=ones, y=ones[:, 0], W=ones, v=ones[:, 0])
    assert "too large" in recheck(path).reason
