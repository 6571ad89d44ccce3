"""The strategies keep what their docstrings promise, shrink to what one can read, and refuse bad calls."""

from __future__ import annotations

import ast
import itertools
import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from jacspec import InputError, activation, activation_names, dense_jacobian, gradient, row_separation
from jacspec._checks import check_unit_rows
from jacspec.rounding import UNIT_ROUNDOFF
from verification import instances, strategies
from verification.strategies import (
    activations,
    clustered_rows,
    conditioned_matrices,
    datasets,
    hidden_weights,
    labels,
    networks,
    output_weights,
    positive_semidefinite,
    problems,
    unit_rows,
)

NAMES = [name for name in strategies.__all__ if name.islower()]
EVERY = {name: getattr(strategies, name) for name in NAMES}
ARRAYS = [name for name in NAMES if name not in ("activations", "datasets", "networks", "problems")]
sizes = st.integers(1, 7)
SHRINK = (Phase.generate, Phase.shrink)
MINIMAL = settings(database=None, derandomize=True, max_examples=1500, deadline=None, phases=SHRINK)


def minimal(strategy, condition=lambda value: True):
    return find(strategy, condition, settings=MINIMAL)


def draws(strategy, count=500):
    """What `count` draws give; as Hypothesis draws them, without shrinking."""
    seen = []

    @settings(max_examples=count, derandomize=True, database=None, phases=[Phase.generate], deadline=None)
    @given(strategy)
    def collect(value):
        seen.append(value)

    collect()
    return seen


def spread(X):
    """Angles between the lines through any two different rows, the least first."""
    cosines = np.abs(X @ X.T)[np.triu_indices(len(X), 1)]
    return np.sort(np.arccos(np.minimum(cosines, 1.0)))


# -- guarantees -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ARRAYS)
@settings(max_examples=30)
@given(data=st.data())
def test_arrays_are_fresh_finite_float64(name, data):
    A = data.draw(EVERY[name]())
    assert A.dtype == np.float64
    assert A.flags.c_contiguous
    assert A.flags.writeable
    assert A.size > 0
    assert np.isfinite(A).all()
    assert not (np.signbit(A) & (A == 0)).any() or name in ("clustered_rows", "conditioned_matrices", "output_weights")
    A[:] = math.nan  # the next draw must not see this


@given(n=sizes, d=sizes, kind=st.sampled_from(strategies.ROW_KINDS), data=st.data())
def test_rows_are_unit_and_of_their_kind(n, d, kind, data):
    X = data.draw(unit_rows(n=n, d=d, kinds=[kind]))
    assert X.shape == (n, d)
    check_unit_rows("X", X)
    gram, half = X @ X.T, (n + 1) // 2
    if kind == "orthogonal":
        m = min(n, d)
        np.testing.assert_allclose(gram[:m, :m], np.eye(m), rtol=0, atol=1e-14)
    elif kind == "repeated":
        assert (X[min(1, n - 1)] == X[0]).all()
    elif kind == "antipodal":
        assert n == 1 or (X[1] == -X[0]).all()
    elif kind == "equal":
        assert np.ptp(X, axis=0).max() == 0
    elif kind == "line":
        assert all(np.array_equal(np.abs(x), np.abs(X[0])) for x in X)
        assert np.linalg.matrix_rank(X) == 1
    elif kind == "pairs":
        assert (X[half:] == -X[: n - half]).all()
    elif kind == "near-pairs":
        np.testing.assert_array_less(np.linalg.norm(X[half:] + X[: n - half], axis=1), 0.5)
    elif kind == "parallel":
        assert n == 1 or np.linalg.norm(X[1] - X[0]) < 0.5
    elif kind == "arc" and d > 1:
        steps = np.linalg.norm(np.diff(X, axis=0), axis=1)
        np.testing.assert_allclose(steps, steps[:1].repeat(n - 1), rtol=0, atol=1e-14)
    elif kind == "clusters":
        centre = np.arange(n) % max(1, n // 3)
        same = centre[:, None] == centre
        assert gram[same].min() > math.cos(2 * 0.5) - 1e-14
    elif kind == "subspace":
        rank = max(1, min(n, d) - 1)
        assert np.all(np.linalg.svd(X, compute_uv=False)[rank:] < 1e-14)


@given(data=st.data(), min_angle=st.sampled_from([1e-9, 1e-3, 0.1, math.pi / 7, math.pi / 4, math.pi / 2]))
def test_rows_keep_their_distance(data, min_angle):
    options = {}
    if data.draw(st.booleans()):
        options["d"] = data.draw(sizes)
    elif data.draw(st.booleans()):
        options["n"] = data.draw(sizes)
    X = data.draw(unit_rows(min_angle=min_angle, **options))
    check_unit_rows("X", X)
    assert row_separation(X).value >= 2 * math.sin(min_angle / 2) - 1e-14
    assert all(options[name] == size for name, size in zip("nd", X.shape, strict=True) if name in options)


@pytest.mark.parametrize("n, d", [(1, 1), (5, 5), (5, 2), (40, 2), (40, 3), (12, 4)])
def test_rows_can_be_as_far_apart_as_promised(n, d):
    least = math.pi / 2 if n <= d else math.pi / n
    for X in draws(unit_rows(n=n, d=d, min_angle=least), 10):
        assert X.shape == (n, d)
        assert n == 1 or spread(X)[0] >= least - 1e-7


@given(n=sizes, d=st.integers(2, 6), angle=st.sampled_from([0.0, 1e-8, 0.3, math.pi / 2]), data=st.data())
def test_clusters_are_tight(n, d, angle, data):
    groups = data.draw(st.integers(1, n))
    X = data.draw(clustered_rows(n=n, d=d, groups=groups, angle=angle))
    assert X.shape == (n, d)
    check_unit_rows("X", X)
    for first in range(groups):
        members = X[first::groups]
        gaps = np.linalg.norm(members[:, None] - members, axis=2)
        assert gaps.max() <= 2 * math.sin(angle) + 1e-15 or angle > 1


@given(n=sizes, d=sizes, condition=st.sampled_from([1.0, 7.5, 1e4, 1e15, math.inf]), data=st.data())
def test_condition_is_as_asked(n, d, condition, data):
    s = np.linalg.svd(data.draw(conditioned_matrices(n=n, d=d, condition=condition)), compute_uv=False)
    tolerance = 32 * (n + d) * UNIT_ROUNDOFF
    if condition == math.inf:
        expected = np.append(np.ones(len(s) - 1), 0.0)
    else:
        expected = np.geomspace(1, 1 / condition, len(s))
    np.testing.assert_allclose(s, expected, rtol=0, atol=tolerance)


@given(values=st.lists(st.floats(0, 1e150), min_size=1, max_size=5), data=st.data())
def test_singular_values_are_as_asked(values, data):
    A = data.draw(conditioned_matrices(singular_values=values))
    s = np.linalg.svd(A, compute_uv=False)
    expected = np.sort(np.append(values, np.zeros(len(s) - len(values))))[::-1]
    np.testing.assert_allclose(s, expected, rtol=0, atol=32 * sum(A.shape) * UNIT_ROUNDOFF * expected[0] + 1e-320)


@given(n=sizes, condition=st.sampled_from([1.0, 100.0, 1e15]), data=st.data())
def test_semidefinite_spectrum_is_as_asked(n, condition, data):
    rank = data.draw(st.integers(1, n))
    P = data.draw(positive_semidefinite(n=n, rank=rank, condition=condition))
    assert (P == P.T).all()
    expected = np.append(np.geomspace(1, 1 / condition, rank), np.zeros(n - rank))
    np.testing.assert_allclose(np.linalg.eigvalsh(P)[::-1], expected, rtol=0, atol=32 * n * UNIT_ROUNDOFF)


def test_large_instances_meet_their_tolerances_and_take_no_more_choices():
    expected = np.geomspace(1, 1e-6, 80)
    for A in draws(conditioned_matrices(n=120, d=80, condition=1e6), 3):
        np.testing.assert_allclose(np.linalg.svd(A)[1], expected, rtol=0, atol=32 * 200 * UNIT_ROUNDOFF)
    for p in draws(problems(n=300, d=100, k=100), 3):
        assert (p.X.shape, p.y.shape, p.W.shape) == ((300, 100), (300,), (100, 100))
        check_unit_rows("X", p.X)


@given(k=sizes, d=sizes, kind=st.sampled_from(strategies.HIDDEN_KINDS), data=st.data())
def test_hidden_weights_are_of_their_kind(k, d, kind, data):
    W = data.draw(hidden_weights(k=k, d=d, kinds=[kind]))
    assert W.shape == (k, d)
    assert np.isfinite(W**2).all()
    sizes_of = {"zero": (0, 0), "small": (1e-20, 1e-5), "saturated": (1e-11, 1e4), "huge": (1e86, 1e101)}
    low, high = sizes_of.get(kind, (1e-14, 10))
    assert low <= np.abs(W).max() <= high
    assert kind != "equal" or np.ptp(W, axis=0).max() == 0


@given(n=sizes, scale=st.sampled_from([1e-300, 1.0, 3.0, 1e300]), data=st.data())
def test_output_weights_and_labels_are_of_their_kind(n, scale, data):
    kind = data.draw(st.sampled_from(strategies.OUTPUT_KINDS))
    v = data.draw(output_weights(k=n, kinds=[kind], scale=scale))
    label_kind = data.draw(st.sampled_from(strategies.LABEL_KINDS))
    y = data.draw(labels(n=n, kinds=[label_kind], scale=scale))
    spike = [scale] + [0.0] * (n - 1)
    for array, its in ((v, kind), (y, label_kind)):
        assert array.shape == (n,)
        assert array.any()
        assert its != "ones" or array.tolist() == [scale] * n
        assert its != "spike" or array.tolist() == spike
        assert its != "signs" or set(np.abs(array)) == {scale}
        if its == "balanced":
            assert np.sign(array).tolist() == [1.0] * (n // 2) + [-1.0] * (n - n // 2)
            assert n % 2 or math.fsum(array) == 0


FLAGS = (None, True, False)


@pytest.mark.parametrize("builtin", FLAGS)
@pytest.mark.parametrize("smooth", FLAGS)
def test_activations_have_the_properties_asked_for(smooth, builtin):
    for bounded, odd in itertools.product(FLAGS, FLAGS):
        impossible = odd and (smooth is False or builtin is False)
        if impossible or (bounded and smooth is False and builtin):
            continue  # nothing known is odd and kinked, no formula is known to be odd: see the bad calls
        for phi in draws(activations(smooth=smooth, bounded=bounded, odd=odd, builtin=builtin), 30):
            assert smooth in (None, phi.is_smooth)
            assert bounded in (None, math.isfinite(phi.sup.value))
            assert odd in (None, phi.parity == "odd")
            assert builtin in (None, phi.builtin)


def test_every_builtin_activation_is_drawn():
    every = {phi.name for phi in draws(activations(), 100)}
    assert every > set(activation_names())


@settings(max_examples=40)
@given(problem=problems(), other=networks())
def test_problems_fit_together_and_stay_finite(problem, other):
    (n, d), k = problem.X.shape, len(problem.v)
    assert problem.y.shape == (n,)
    assert problem.W.shape == (k, d)
    check_unit_rows("X", problem.X)
    net = problem.net
    assert max(np.abs(net.W).max(), np.abs(other.W).max()) < 1e5
    assert math.isfinite(net.loss(problem.X, problem.y))
    assert np.isfinite(dense_jacobian(net, problem.X)).all()
    assert np.isfinite(gradient(net, problem.X, problem.y)).all()


@settings(max_examples=20)
@given(data=st.data())
def test_options_reach_the_parts(data):
    tanh = activation("tanh")
    p = data.draw(problems(n=3, d=2, k=4, rows=["equal"], hidden=["zero"], scale=1e30, activation="tanh"))
    assert (p.X.shape, p.W.shape, p.activation) == ((3, 2), (4, 2), tanh)
    assert np.ptp(p.X, axis=0).max() == 0
    assert not p.W.any()
    assert min(np.abs(p.y).max(), np.abs(p.v).max()) > 1e25
    net = data.draw(networks(k=st.just(5), d=st.integers(2, 3), hidden=["equal"], scale=st.just(1e30), activation=tanh))
    assert (net.k, net.activation) == (5, tanh)
    assert net.d in (2, 3)
    assert np.ptp(net.W, axis=0).max() == 0
    assert np.abs(net.v).max() > 1e25
    near = data.draw(problems(n=4, d=2, min_angle=0.7, activation=activations(odd=True, bounded=True)))
    assert spread(near.X)[0] > 0.7 - 1e-7
    assert near.activation.parity == "odd"


@settings(max_examples=40)
@given(
    normalized=st.booleans(), labelled=st.booleans(), rows=st.sampled_from(["repeated", "antipodal"]), data=st.data()
)
def test_datasets_keep_exact_structure(normalized, labelled, rows, data):
    drawn = data.draw(datasets(n=4, d=3, rows=[rows], normalized=normalized, labelled=labelled))
    assert (drawn.n, drawn.d, drawn.normalized, drawn.y is not None) == (4, 3, normalized, labelled)
    assert not drawn.X.flags.writeable
    structure = drawn.structure
    assert (0, 1) in (structure.repeated if rows == "repeated" else structure.antipodal)


# -- shrinking ------------------------------------------------------------------------------------------------------

EYE, ROOT = [[1.0, 0.0], [0.0, 1.0]], math.sqrt(0.5)
#: What is drawn, a condition that fails, and the plainest value for which it does.
SMALL = {
    "rows": (unit_rows(), lambda X: True, [[1.0]]),
    "more than one row": (unit_rows(d=2), lambda X: len(X) > 1, EYE),
    "norm of X*X above 1": (unit_rows(), lambda X: np.linalg.norm((X @ X.T) ** 2, 2) > 1.5, [[1.0], [1.0]]),
    "parallel": (unit_rows(n=2, d=2), lambda X: np.linalg.matrix_rank(X) == 1, [[1.0, 0.0], [1.0, 0.0]]),
    "antipodal": (unit_rows(d=2), lambda X: len(X) > 1 and (X[1] == -X[0]).all(), [[1.0, 0.0], [-1.0, 0.0]]),
    "apart": (unit_rows(d=2, min_angle=0.1), lambda X: len(X) > 3, [*EYE, [ROOT, ROOT], [ROOT, -ROOT]]),
    "near": (unit_rows(n=2, d=2), lambda X: 0 < spread(X)[0] < 0.2, [[1.0, 0.0], [math.cos(0.1), math.sin(0.1)]]),
    "clustered": (clustered_rows().map(np.shape), lambda shape: True, [1, 2]),
    "matrices": (conditioned_matrices(), lambda A: True, [[1.0]]),
    "ill conditioned": (conditioned_matrices(), lambda A: np.linalg.cond(A) > 1e6, [[1.0, 0.0], [0.0, 1e-8]]),
    "singular": (conditioned_matrices(n=2, d=2), lambda A: np.linalg.det(A) == 0, [[1.0, 0.0], [0.0, 0.0]]),
    "semidefinite": (positive_semidefinite(), lambda P: np.linalg.matrix_rank(P) < len(P), [[1.0, 0.0], [0.0, 0.0]]),
    "hidden": (hidden_weights(k=2, d=2), lambda W: np.abs(W).max() > 100, [[1000.0, 0.0], [0.0, 1000.0]]),
    "output": (output_weights(), lambda v: len(v) > 2, [1.0, 1.0, 1.0]),
    "labels": (labels(), lambda y: np.min(y) < 0 < np.max(y), [-1.0, 1.0]),
    "network": (networks().map(lambda net: np.append(net.W, net.v)), lambda weights: True, [1.0, 1.0]),
    "data set": (datasets().map(lambda data: data.X), lambda X: True, [[1.0]]),
}


@pytest.mark.parametrize("case", SMALL)
def test_minimal_examples_are_small_and_round(case):
    strategy, condition, expected = SMALL[case]
    found = minimal(strategy, condition)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_minimal_activation_is_the_plainest():
    assert minimal(activations()).name == "linear"
    assert minimal(activations(odd=True), lambda phi: phi.name != "linear").name == "tanh"


def test_minimal_problem_can_be_pasted():
    shown = repr(minimal(problems()))
    parts = "X=array([[1.]]), y=array([1.]), v=array([1.]), W=array([[1.]]), activation=activation('linear')"
    assert shown == f"Problem({parts})"
    names = {"Problem": strategies.Problem, "array": np.array, "activation": activation}
    assert repr(eval(shown, names)) == shown


# -- edge cases really occur ----------------------------------------------------------------------------------------


def has_pair(X, sign):
    return X.shape[1] > 1 and any(np.array_equal(X[i], sign * X[j]) for i in range(len(X)) for j in range(i))


EDGES = {
    "unit_rows one row": lambda X: len(X) == 1,
    "unit_rows one column": lambda X: X.shape[1] == 1,
    "unit_rows more rows than columns": lambda X: X.shape[0] > X.shape[1] > 1,
    "unit_rows more rows than products": lambda X: X.shape[0] > X.shape[1] * (X.shape[1] + 1) / 2 > 1,
    "unit_rows repeated": lambda X: has_pair(X, 1.0),
    "unit_rows antipodal": lambda X: has_pair(X, -1.0),
    "unit_rows orthonormal": lambda X: len(X) > 1 and np.allclose(X @ X.T, np.eye(len(X)), rtol=0, atol=1e-14),
    "unit_rows rank deficient": lambda X: 1 < np.linalg.matrix_rank(X) < min(X.shape),
    "unit_rows near-parallel": lambda X: len(X) > 1 and 1e-9 < np.linalg.norm(X[1] - X[0]) < 1e-3,
    "unit_rows round": lambda X: np.isin(X, [-1, 0, 1]).all(),
    "unit_rows generic": lambda X: X.shape[1] > 1 and not np.isin(np.round(X, 6), [-1, 0, 1]).any(),
    "conditioned_matrices singular": lambda A: np.linalg.matrix_rank(A) < min(A.shape),
    "conditioned_matrices ill conditioned": lambda A: 1e-16 < np.linalg.svd(A)[1][-1] < 1e-7,
    "conditioned_matrices tall": lambda A: A.shape[0] > A.shape[1],
    "conditioned_matrices wide": lambda A: A.shape[0] < A.shape[1],
    "conditioned_matrices dense": lambda A: A.size > 1 and (A != 0).all(),
    "positive_semidefinite singular": lambda P: np.linalg.matrix_rank(P) < len(P),
    "hidden_weights zero": lambda W: not W.any(),
    "hidden_weights small": lambda W: 0 < np.abs(W).max() < 1e-5,
    "hidden_weights saturated": lambda W: 100 < np.abs(W).max() < 1e4,
    "hidden_weights huge": lambda W: np.abs(W).max() > 1e90,
    "output_weights tiny": lambda v: np.abs(v).max() < 1e-100,
    "output_weights huge": lambda v: np.abs(v).max() > 1e100,
    "output_weights balanced": lambda v: v.sum() == 0,
    "output_weights spike": lambda v: np.count_nonzero(v) == 1 < len(v),
    "labels both signs": lambda y: y.min() < 0 < y.max(),
    "labels tiny": lambda y: np.abs(y).max() < 1e-100,
    "datasets labelled": lambda data: data.y is not None,
    "datasets without labels": lambda data: data.y is None,
    "datasets of tiny rows": lambda data: np.abs(data.raw).max() < 1e-100,
    "datasets of unit rows": lambda data: not data.normalized,
}


@pytest.mark.parametrize("name", sorted({edge.split()[0] for edge in EDGES}))
def test_edges_occur(name):
    drawn = draws(EVERY[name]())
    for edge, occurs in EDGES.items():
        assert edge.split()[0] != name or sum(bool(occurs(value)) for value in drawn) >= 5, edge


# -- habits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_draws_pass_health_checks_and_leave_global_randomness_alone(name):
    states = []

    @settings(max_examples=50, database=None, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(st.data())
    def draw(data):
        def state():
            return random.getstate(), np.random.get_state(legacy=False)["state"]["key"].tobytes()  # noqa: NPY002

        before = state()
        data.draw(EVERY[name]())
        states.append(before == state())

    draw()
    assert all(states)


def test_no_strategy_filters():
    for path in Path(strategies.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        names |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        assert not names & {"filter", "assume", "reject"}, path


@pytest.mark.parametrize("name", ARRAYS)
def test_the_same_choices_give_the_same_bits(name):
    first, second = ([A.tobytes() for A in draws(EVERY[name](), 30)] for _ in range(2))
    assert first == second


def test_strategies_show_themselves():
    assert repr(unit_rows()) == "unit_rows()"
    assert repr(unit_rows(n=3, kinds=["equal"])) == "unit_rows(n=3, kinds=('equal',))"
    assert repr(problems(d=sizes)) == "problems(d=integers(min_value=1, max_value=7))"
    assert {repr(make()) for name, make in EVERY.items() if name != "activations"} == {
        f"{name}()" for name in NAMES if name != "activations"
    }


def test_networks_are_shown_as_calls():
    @settings(database=None, derandomize=True, deadline=None, phases=SHRINK)
    @given(net=networks(activation="relu"), phi=activations(), data=datasets())
    def fails(net, phi, data):
        raise AssertionError

    with pytest.raises(AssertionError) as caught:
        fails()
    shown = " ".join("\n".join(caught.value.__notes__).split())
    for call in (
        "ShallowNet(",
        "W=array([[1.]])",
        "activation=activation('relu')",
        "phi=activation('linear')",
        "load(",
    ):
        assert call in shown


def test_all_kinds_of_the_claims_are_offered():
    assert set(instances.ROWS) < set(strategies.ROW_KINDS)


# -- bad calls ------------------------------------------------------------------------------------------------------

BAD_SIZES = [0, -1, 2.0, True, "3", [3], np.nan]
BAD_KINDS = ["sphere", "", [], (), [3], ["cube"], {"sphere"}, 7]
BAD_REALS = [-0.1, math.nan, "0.1", True]
BAD_LISTS = [[], [-1], [math.inf], "12", 3, [1e160]]
#: One bad option at a time: the strategy, the option, its values.
BAD_OPTIONS = [
    *((make, size, BAD_SIZES) for make in (unit_rows, conditioned_matrices, datasets, problems) for size in "nd"),
    *((make, size, BAD_SIZES) for make in (hidden_weights, networks) for size in "kd"),
    *((make, "n", BAD_SIZES) for make in (clustered_rows, labels, positive_semidefinite)),
    *((clustered_rows, "d", [1]), (clustered_rows, "groups", [0]), (output_weights, "k", BAD_SIZES)),
    *((unit_rows, "kinds", BAD_KINDS), (problems, "rows", BAD_KINDS), (datasets, "rows", BAD_KINDS)),
    *((hidden_weights, "kinds", ["zero", ["ones"]]), (networks, "hidden", ["zero", ["ones"]])),
    *((output_weights, "kinds", [["sign"]]), (labels, "kinds", [["balanced"]]), (problems, "hidden", ["zero"])),
    *((make, "min_angle", [*BAD_REALS, 1.6, None]) for make in (unit_rows, problems, datasets)),
    (clustered_rows, "angle", [*BAD_REALS, 1.58]),
    *((make, "scale", [*BAD_REALS, 0, 1e301]) for make in (output_weights, labels, networks, problems)),
    (conditioned_matrices, "condition", [*BAD_REALS, 0.5, 1e16, -math.inf]),
    (conditioned_matrices, "singular_values", BAD_LISTS),
    *((positive_semidefinite, "condition", [*BAD_REALS, math.inf]), (positive_semidefinite, "rank", BAD_SIZES)),
    *((activations, flag, [1, "yes"]) for flag in ("smooth", "bounded", "odd", "builtin")),
    *((make, "activation", ["rleu", "", 3, ["relu"]]) for make in (networks, problems)),
    *((datasets, flag, [1, "yes"]) for flag in ("labelled", "normalized")),
]
#: Options that contradict each other, and the argument that is named.
CONTRADICTIONS = [
    (unit_rows, {"min_angle": 0.1, "kinds": ["sphere", "repeated"]}, "kinds"),
    (unit_rows, {"min_angle": 0.5, "n": 7, "d": 2}, "min_angle"),
    (unit_rows, {"min_angle": 1e-9, "n": 2, "d": 1}, "min_angle"),
    (problems, {"min_angle": 0.1, "rows": ["equal"]}, "rows"),
    (clustered_rows, {"n": 3, "groups": 4}, "groups"),
    (conditioned_matrices, {"singular_values": [1, 2, 3], "n": 2}, "singular_values"),
    (conditioned_matrices, {"singular_values": [1], "condition": 2.0}, "singular_values"),
    (positive_semidefinite, {"n": 2, "rank": 3}, "rank"),
    (activations, {"odd": True, "smooth": False}, "activations"),
]
BAD_CALLS = [(make, {name: value}, name) for make, name, values in BAD_OPTIONS for value in values] + CONTRADICTIONS


@pytest.mark.parametrize("make, options, argument", BAD_CALLS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_bad_calls_name_the_argument_at_once(make, options, argument):
    with pytest.raises(InputError) as caught:
        make(**options)
    assert caught.value.argument == argument
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_keyword_only(name):
    with pytest.raises(TypeError):
        EVERY[name](3)


BAD_DRAWS = [
    (unit_rows, {"n": st.just(0)}, "n"),
    (unit_rows, {"d": st.just(2.0)}, "d"),
    (unit_rows, {"n": st.just(9), "d": 2, "min_angle": 0.5}, "min_angle"),
    (clustered_rows, {"d": st.just(1)}, "d"),
    (clustered_rows, {"n": 2, "groups": st.just(3)}, "groups"),
    (clustered_rows, {"angle": st.just(-1.0)}, "angle"),
    (conditioned_matrices, {"n": st.just(2), "singular_values": [3, 2, 1]}, "n"),
    (conditioned_matrices, {"condition": st.just(0.0)}, "condition"),
    (positive_semidefinite, {"n": 2, "rank": st.just(3)}, "rank"),
    (hidden_weights, {"k": st.just(0)}, "k"),
    (output_weights, {"scale": st.just(math.nan)}, "scale"),
    (labels, {"n": st.just("3")}, "n"),
    (networks, {"k": st.just(0)}, "k"),
    (networks, {"activation": st.just("tnh")}, "activation"),
    (problems, {"n": st.just(0)}, "n"),
]


@pytest.mark.parametrize("make, options, argument", BAD_DRAWS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_bad_values_of_a_strategy_are_named_when_drawn(make, options, argument):
    strategy = make(**options)
    assert isinstance(strategy, SearchStrategy)

    @settings(max_examples=2, database=None, deadline=None, phases=[Phase.generate])
    @given(strategy)
    def draw(value):
        pass

    with pytest.raises(InputError) as caught:
        draw()
    assert caught.value.argument == argument
