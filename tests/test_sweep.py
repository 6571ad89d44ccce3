"""Phase diagrams: trials that do not depend on their company, plans that spend where it matters, valid intervals."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import asdict, replace

import numpy as np
import pytest

from jacspec import InputError, ShallowNet, jacobian_extremes, load, train
from verification.claim import Variant
from verification.claims import phase_transition
from verification.plots import phase_figure
from verification.store import Store
from verification.sweep import Configuration, Diagram, Key, Plan, Row, run_trials, trials, values_of
from verification.sweep.engines import Here, Processes
from verification.sweep.evidence import crossing, interval, sure_side
from verification.sweep.sweep import Sweep
from verification.sweep.theorems import asked_widths
from verification.trend import CLEAR
from verification.verify import Options, verify_claim

SMALL = Configuration(d=4, steps=1500, tolerance=1e-2, certify=True)
KEYS = [Key(n, k, t) for n in (8, 12) for k in (2, 4, 6) for t in range(4)]


def rows_of(counts, config=SMALL, n=8):
    """Made-up rows: (trials, fitted) for each k = 2, 4, ..."""
    return [
        Row(
            n,
            2 * i + 2,
            t,
            "converged" if t < fitted else "budget",
            5,
            0.1,
            0.5,
            t < fitted if config.certify else None,
        )
        for i, (made, fitted) in enumerate(counts)
        for t in range(made)
    ]


# -- trials ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, activation="relu", labels="signs"),
        replace(SMALL, data="gaussian", activation="tanh", eta="theorem"),
        replace(SMALL, data="clusters:groups=3,angle=0.5", eta=0.05, steps=200),
        replace(SMALL, algorithm="sgd", steps=100),
        replace(SMALL, activation="expr:x*sigmoid(x)", certify=False, steps=100),
        replace(SMALL, data="sklearn:iris", labels="own", steps=200).checked(),
    ],
    ids=lambda c: f"{c.data}-{c.activation}-{c.algorithm}".replace(":", "-"),
)
def test_a_row_does_not_depend_on_its_company(config) -> None:
    together = run_trials(config, KEYS)
    assert [row.key for row in together] == KEYS
    order = np.random.default_rng(0).permutation(len(KEYS))
    assert run_trials(config, [KEYS[i] for i in order[:11]]) == [together[i] for i in order[:11]]
    assert run_trials(config, [KEYS[5]]) == [together[5]]
    assert len({row.relative_residual for row in together}) == len(KEYS)


def test_the_problem_is_what_it_says() -> None:
    p = SMALL.problem(9, 6, 3)
    assert p.X.shape == (9, 4)
    assert np.allclose(np.linalg.norm(p.X, axis=1), 1, rtol=0, atol=1e-15)
    assert np.array_equal(np.abs(p.net.v), np.full(6, abs(p.net.v[0])))
    assert sorted(np.sign(p.net.v)) == [-1, -1, -1, 1, 1, 1]
    assert abs(np.linalg.norm(p.net.v) - 1) < 1e-15
    top = jacobian_extremes(p.net, p.X)[1].value
    assert 1 / top**2 * 0.999 < p.eta < 1 / top**2 * 1.02  # the power steps are a lower bound of the norm
    assert SMALL.problem(9, 6, 3).X.tobytes() == p.X.tobytes()
    others = [SMALL.problem(9, 6, 4), SMALL.problem(9, 8, 3), SMALL.problem(10, 6, 3)]
    others.append(replace(SMALL, seed=1).problem(9, 6, 3))
    assert all(q.X.ravel()[0] != p.X.ravel()[0] for q in others)
    slow = replace(SMALL, eta="theorem").problem(9, 6, 3)
    assert slow.eta == pytest.approx(1 / (2 * np.linalg.norm(p.X, 2) ** 2), rel=1e-3)  # B1 = ||v|| = 1
    stochastic = replace(SMALL, algorithm="sgd").problem(9, 6, 3)
    norms = [np.linalg.norm((p.net.activation.derivative(p.net.W @ x) * p.net.v)[:, None] * x) ** 2 for x in p.X]
    assert stochastic.eta == pytest.approx(1 / max(norms), rel=1e-3)


def test_a_row_is_what_train_says(monkeypatch) -> None:
    # A small step: with 1/||J(W_0)||^2 a run that does not converge may be chaotic, and rounding decides its digits.
    config = replace(SMALL, eta="theorem", steps=400, tolerance=0.2, certify=False)
    rows = run_trials(config, KEYS)
    monkeypatch.setattr(trials, "_SMALL", 0)
    alone = run_trials(config, KEYS)
    for key, row, other in zip(KEYS, rows, alone, strict=True):
        p = config.problem(*key)
        run = train(p.net, p.X, p.y, eta=p.eta, steps=400, tolerance=0.2)
        assert (other.status, other.steps, other.relative_residual) == (run.status, run.step, run.relative_residual)
        assert (row.status, row.steps) == (other.status, other.steps)
        assert row.relative_residual == pytest.approx(other.relative_residual, rel=1e-9)
        assert row.fitted == (row.relative_residual <= 0.2)
        assert row.eta == p.eta
    assert {row.fitted for row in rows} == {True, False}


def test_certificates_are_sought_where_a_run_fits() -> None:
    rows = run_trials(SMALL, KEYS)
    assert all((row.certified is not None) == row.fitted for row in rows)
    proved = [row for row in rows if row.certified]
    assert proved
    assert all(row.distance is not None and row.distance > 0 for row in proved)
    assert all((row.moved > 0) == (row.polish > 0) for row in rows)
    assert all(row.certified is None for row in run_trials(replace(SMALL, certify=False), KEYS))


def test_rows_of_a_file_are_sampled_with_their_labels(tmp_path) -> None:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 3))
    A[7] = 2 * A[3]  # left out: the same direction
    np.save(tmp_path / "a.npy", A)
    config = Configuration(data=str(tmp_path / "a.npy"), labels="signs").checked()
    assert config.d == 3
    X = load(A, normalize=True, drop_repeated=True).X
    p = config.problem(19, 2, 0)
    assert sorted(map(tuple, p.X)) == sorted(map(tuple, X))
    with pytest.raises(InputError, match="at most 19"):
        config.problem(20, 2, 0)
    with pytest.raises(InputError, match="brings no labels"):
        replace(config, labels="own").checked()
    own = Configuration(data="sklearn:iris", labels="own").checked().problem(50, 2, 1)
    assert np.linalg.norm(own.y) == pytest.approx(math.sqrt(50))
    assert len(set(own.y)) == 3
    # The same rows elsewhere are the same configuration; other rows in the same place are noticed.
    np.save(tmp_path / "b.npy", A)
    assert replace(config, data=str(tmp_path / "b.npy"), data_sha256="").checked().hash == config.hash
    assert replace(config, data_sha256="0" * 64).hash != config.hash
    with pytest.raises(InputError, match="SHA-256"):
        replace(config, data_sha256="0" * 64).problem(5, 2, 0)


def test_every_field_counts_for_the_hash() -> None:
    changed = {
        "d": 5, "activation": "relu", "data": "gaussian", "labels": "signs", "algorithm": "sgd", "eta": 0.1, "steps": 7,
        "tolerance": 0.5, "certify": True, "polish": 1, "seed": 9, "data_sha256": "x",
    }  # fmt: skip
    base = Configuration()
    assert set(changed) == set(asdict(base))
    hashes = {replace(base, **{name: value}).hash for name, value in changed.items()} | {base.hash}
    assert len(hashes) == len(changed) + 1
    assert replace(base, data="clusters:angle=0.10,groups=6").hash == replace(base, data="clusters").hash


def test_a_budget_that_grows_with_n() -> None:
    config = replace(SMALL, steps="2n^2", certify=False)
    assert [config.budget(n) for n in (1, 7, 100)] == [2, 98, 20_000]
    assert [replace(SMALL, steps=text).budget(16) for text in ("n", "500n", "0.3 n^1.5")] == [16, 8000, 20]
    assert replace(SMALL, steps="2.0n^2.00") == replace(SMALL, steps="2n^2")
    assert SMALL.budget(7) == SMALL.budget(70) == 1500
    # What a fixed budget gives, trial by trial; in lanes, and one by one.
    for other in (config, replace(config, algorithm="sgd")):
        rows = run_trials(other, KEYS[::3])
        for n in (8, 12):
            keys = [key for key in KEYS[::3] if key.n == n]
            assert run_trials(replace(other, steps=2 * n * n), keys) == [row for row in rows if row.n == n]
        assert max(row.steps for row in rows) == 288 * (12 if other.algorithm == "sgd" else 1)
    assert trials.cost(config, Key(12, 4, 0)) == trials.cost(replace(config, steps=288), Key(12, 4, 0))


def test_configurations_of_older_stores_are_what_they_were() -> None:
    assert Configuration(d=3, steps=10, certify=True).hash == "263cb9563190df0d"


def test_impossible_is_what_the_theorem_says() -> None:
    assert SMALL.impossible(9, 2)
    assert not SMALL.impossible(8, 2)
    assert not replace(SMALL, labels="signs").impossible(9, 2)  # no density
    assert not replace(SMALL, activation="expr:x**3", certify=False).impossible(9, 2) or math.isfinite(
        replace(SMALL, activation="expr:x**3", certify=False).phi.B1.upper
    )
    rows = run_trials(SMALL, [Key(40, 2, t) for t in range(8)])
    assert not any(row.fitted for row in rows)


BAD = {
    "activation": ({"activation": "softpuls"}, "softplus"),
    "labels": ({"labels": "sign"}, "signs"),
    "own": ({"labels": "own"}, "bring no labels"),
    "eta": ({"eta": -1.0}, "eta"),
    "eta word": ({"eta": "fast"}, "auto"),
    "theorem": ({"eta": "theorem", "algorithm": "sgd"}, "sgd"),
    "theorem B1": ({"eta": "theorem", "activation": "quadratic"}, "B1"),
    "steps": ({"steps": 0}, "steps"),
    "steps word": ({"steps": "many"}, "as in 2n"),
    "steps factor": ({"steps": "0n"}, "> 0"),
    "steps power": ({"steps": "n^10"}, "<= 9"),
    "tolerance": ({"tolerance": 0}, "tolerance"),
    "certify": ({"certify": True, "activation": "expr:x*x"}, "built-in"),
    "clusters": ({"data": "clusters:group=3"}, "did you mean 'groups'"),
    "angle": ({"data": "clusters:angle=wide"}, "numbers"),
    "d": ({"d": 0}, "d"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_configurations(case) -> None:
    values, words = BAD[case]
    with pytest.raises(InputError, match=words):
        Configuration(**values)


def test_bundles_fill_the_lanes() -> None:
    keys = [Key(n, k, t) for n in (5, 9) for k in (2, 4) for t in range(6)]
    cut = list(trials.bundles(SMALL, keys))
    assert sorted(key for bundle in cut for key in bundle) == keys
    assert [len(bundle) for bundle in cut] == [8, 4, 8, 4]  # the dearest first
    assert all(len({key.n for key in bundle}) == 1 for bundle in cut)
    assert [bundle[0] for bundle in cut[:2]] == [Key(9, 2, 0), Key(9, 4, 2)]
    assert [len(bundle) for bundle in trials.bundles(SMALL, keys, 16)] == [12, 12]
    # ... but not when that is long work, or trials run one by one
    for slow in (replace(SMALL, steps=10**9), replace(SMALL, algorithm="sgd")):
        assert [len(bundle) for bundle in trials.bundles(slow, keys, 16)] == [8, 4, 8, 4]


# -- evidence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.03, 0.3, 0.5, 0.9])
def test_the_interval_holds_at_all_times(p) -> None:
    """Exactly, by dynamic programming: the chance that it ever leaves p out, in 120 trials."""
    alpha, missed, weights = 0.1, 0.0, {0: 1.0}
    for m in range(1, 121):
        moved: dict[int, float] = {}
        for x, w in weights.items():
            moved[x] = moved.get(x, 0.0) + w * (1 - p)
            moved[x + 1] = moved.get(x + 1, 0.0) + w * p
        weights = {}
        for x, w in moved.items():
            low, high = interval(m, x, alpha)
            assert 0 <= low <= x / m <= high <= 1
            if low <= p <= high:
                weights[x] = w
            else:
                missed += w
    assert 0.005 < missed <= alpha


def test_interval_ends() -> None:
    assert interval(0, 0, 0.05) == (0.0, 1.0)
    low, high = interval(30, 12, 0.05)
    assert interval(30, 18, 0.05) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    assert interval(10, 0, 0.05)[0] == 0.0
    for p in (low, high):
        log_e = math.lgamma(12.5) + math.lgamma(18.5) - math.lgamma(31) - math.log(math.pi)
        assert log_e - 12 * math.log(p) - 18 * math.log1p(-p) == pytest.approx(math.log(20), abs=1e-9)


def test_the_walk_of_sure_cells_holds() -> None:
    """The first cell with share 1/2 is passed with probability at most alpha, looked at once after m trials."""
    for m in (7, 10, 26):
        passed = sum(math.comb(m, x) / 2**m for x in range(m + 1) if sure_side([(m, x)], 0.05) == 0)
        assert passed <= 0.05
    assert sure_side([], 0.05) is None
    assert sure_side([(10, 10), None, (10, 10)], 0.05) == 0
    assert sure_side([True, True, (10, 9)], 0.05) == 1


def test_crossing_is_that_of_a_monotone_fit() -> None:
    assert crossing([2, 4, 6], [0.0, 0.25, 1.0], [10, 10, 10]) == pytest.approx(4 + 2 / 3)
    assert crossing([2, 4, 6, 8], [0.0, 0.6, 0.2, 1.0], [10] * 4) == pytest.approx(6 + 2 * 0.1 / 0.6)
    assert crossing([2, 4], [0.6, 1.0], [1, 1]) is None
    assert crossing([2, 4], [0.0, 0.4], [1, 1]) is None
    assert crossing([2, 4], [0.0, 0.5], [1, 1]) == 4
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, w = rng.uniform(size=9), rng.integers(1, 9, size=9).astype(float)
        fit = [  # the max-min formula
            max(min(np.average(x[a : b + 1], weights=w[a : b + 1]) for b in range(i, 9)) for a in range(i + 1))
            for i in range(9)
        ]
        found = crossing(range(9), x, w)
        places = [i for i in range(1, 9) if fit[i - 1] < 0.5 <= fit[i]]
        assert (found is None) == (not places)
        if places:
            i = places[0]
            assert found == pytest.approx(i - 1 + (0.5 - fit[i - 1]) / (fit[i] - fit[i - 1]))


# -- plans and diagrams ---------------------------------------------------------------------------------------------


def test_trials_go_where_the_share_is_uncertain() -> None:
    plan = Plan(SMALL, (8,), (2, 4, 6, 8), trials=10, most=30)
    rows = rows_of([(10, 0), (10, 4), (9, 9), (18, 17)])
    wanted = plan.wanted(rows)
    assert [key for key in wanted if key.k == 2] == []
    assert [key.trial for key in wanted if key.k == 4] == list(range(10, 18))
    assert [key.trial for key in wanted if key.k == 6] == [9]
    assert [key for key in wanted if key.k == 8] == []  # 10 of 10 decided; the rest was another plan's
    rows += [replace(rows[10], trial=t, k=4, status="budget") for t in range(10, 30)]
    assert [key for key in plan.wanted(rows) if key.k == 4] == []
    assert Plan(SMALL, (9,), (2, 4), trials=1, most=1).cells == ((9, 4),)
    assert Plan(SMALL, (9,), (2, 4), trials=1, most=1, below=True).cells == ((9, 2), (9, 4))


def test_diagram() -> None:
    plan = Plan(SMALL, (8, 16), (2, 4, 6, 8), trials=10, most=18)
    diagram = Diagram.of(plan, rows_of([(10, 0), (18, 9), (10, 10), (10, 10)]))
    assert [c.verdict for c in diagram.column(8)] == ["fails", "open", "fits", "fits"]
    assert [c.verdict for c in diagram.column(16)] == ["impossible", *["unmeasured"] * 3]
    assert [c.proved for c in diagram.column(8)] == [False, False, True, True]
    assert not diagram.complete
    first, second = diagram.transitions
    assert (first.k, first.low, first.high) == (4.0, 2, 6)
    assert (second.k, second.low, second.high) == (None, 2, None)
    document = diagram.to_json()
    assert len(document["cells"]) == 8
    assert document["transition_certified"][0] == {"n": 8, "k": 4.0, "low": 2, "high": 6}
    whole = Diagram.of(replace(plan, n=(8,)), rows_of([(10, 0), (18, 9), (10, 10), (10, 10)]))
    assert whole.complete


def test_widths_within_some_units_of_the_line() -> None:
    plan = Plan(SMALL, (8, 16), (2, 4, 6, 8), trials=10, most=10, within=3)
    assert plan.cells == ((8, 2), (8, 4), (16, 4), (16, 6))
    rows = rows_of([(10, 0), (10, 10)]) + [replace(r, k=r.k + 2) for r in rows_of([(10, 0), (10, 10)], n=16)]
    diagram = Diagram.of(plan, rows)
    assert diagram.complete
    assert [cell.verdict for cell in diagram.column(8)] == ["fails", "fits", "unmeasured", "unmeasured"]
    assert [(t.k, t.low, t.high) for t in diagram.transitions] == [(3.0, 2, 4), (5.0, 4, 6)]
    # The rows tell the plan; a grid without holes is all within.
    assert Plan.around(SMALL, rows).cells == plan.cells
    assert Diagram.of(Plan.around(SMALL, rows), rows).complete
    whole = replace(plan, within=None)
    every = [replace(rows[0], n=n, k=k, trial=t) for n, k in whole.cells for t in range(10)]
    assert Plan.around(SMALL, every).cells == whole.cells


def test_a_crossing_over_cells_not_yet_measured_is_none() -> None:
    plan = Plan(SMALL, (8,), (2, 4, 6), trials=10, most=10)
    rows = [row for row in rows_of([(10, 0), (10, 0), (10, 10)]) if row.k != 4]
    assert Diagram.of(plan, rows).transitions[0].k is None


@pytest.mark.parametrize(
    "text, words",
    [("a", "ranges"), ("", "ranges"), ("0", "'0'"), ("5:3:1", "5:3:1"), ("1:2", "1:2"), ("3", "even"),
     ("2:9:1", "even"), ("1:log3", "ranges"), ("2:4:0", "2:4:0"), ("2:99999999:2", "100,000")],
)  # fmt: skip
def test_bad_grids(text, words) -> None:
    with pytest.raises(InputError, match=words):
        values_of(text, "k", even=True)


def test_bad_plans() -> None:
    for values in ({"k": ()}, {"k": (3,)}, {"n": (0,)}, {"trials": 0}, {"most": 5}, {"alpha": 1.0}, {"within": 0}):
        with pytest.raises(InputError, match=next(iter(values))):
            Plan(SMALL, **{"n": (8,), "k": (2,), "trials": 10, "most": 10, **values})


@pytest.mark.parametrize("widths", [(2, 4), (6,), tuple(range(2, 32, 2)), (2, 4, 8, 20, 50, 200, 500)])
def test_ticks_are_widths_that_there_are(widths) -> None:
    at = phase_figure(Diagram.of(Plan(SMALL, (8, 16), widths), []), (), "title").axes[0]
    shown = list(at.get_yticks())
    assert set(shown) <= set(widths)
    assert 1 <= len(shown) <= 10
    assert shown[0] == widths[0]
    assert not list(at.yaxis.get_minorticklocs())
    assert [label.get_text() for label in at.get_yticklabels()] == [str(int(k)) for k in shown]


# -- sweeps ---------------------------------------------------------------------------------------------------------

PLAN = Plan(SMALL, (8, 12, 16), (2, 4, 6), trials=5, most=13)


class Cut(Here):
    """Ctrl-C after some bundles."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def next(self):
        if self.after == 0:
            raise KeyboardInterrupt
        self.after -= 1
        return super().next()


@pytest.fixture(scope="module")
def straight():
    store = Store(None, SMALL)
    progress = Sweep(PLAN, store, Here()).run()
    assert progress.trials == store.count()
    assert progress.done == progress.total
    return store.rows()


def test_a_sweep_brings_what_the_plan_wants(straight) -> None:
    assert PLAN.wanted(straight) == []
    assert Diagram.of(PLAN, straight).complete
    spent = {(c.n, c.k): c.trials for c in Diagram.of(PLAN, straight).cells}
    assert set(spent.values()) >= {0, 13}  # 5 trials decide nothing at this level; unanimous 13 do


def test_resumed_is_the_same_as_uninterrupted(tmp_path, straight) -> None:
    for after in (1, 2, 0, 3):
        with Store(tmp_path / "a.db", SMALL, resume=True) as store, pytest.raises(KeyboardInterrupt):
            Sweep(PLAN, store, Cut(after)).run()
    with Store(tmp_path / "a.db", SMALL, resume=True) as store:
        found = store.count()
        progress = Sweep(PLAN, store, Here()).run()
        assert found > 0
        assert progress.trials == len(straight) - found
        assert store.rows() == straight
        again = Sweep(PLAN, store, Here()).run()
        assert again.trials == 0


def test_what_another_process_did_meanwhile_is_not_done_again(straight) -> None:
    store = Store(None, SMALL)

    class Helped(Here):
        def next(self):
            store.add(straight[: len(straight) // 2])
            return super().next()

    progress = Sweep(PLAN, store, Helped()).run()
    assert store.rows() == straight
    assert progress.trials < len(straight)
    assert store.disagreements == 0
    assert progress.done == pytest.approx(progress.total)


def test_processes_give_the_same_bits_though_one_is_killed(straight) -> None:
    store = Store(None, SMALL)
    with Processes(2) as engine:
        killed = []

        def kill(progress) -> None:
            if not killed:
                worker = engine._context.started[0].pid
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)

        Sweep(PLAN, store, engine, kill).run()
    assert killed
    assert store.rows() == straight


def test_workers_that_always_die_are_a_fault() -> None:
    with Processes(1) as engine:
        engine.submit(replace(SMALL, steps=10**9, tolerance=1e-300), (Key(8, 2, 0),))  # never done
        engine._deaths = 5
        (worker,) = engine._context.started
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="in a row"):
            engine.next()
    assert not worker.is_alive()


def test_closing_ends_what_runs() -> None:
    with Processes(1) as engine:
        engine.submit(replace(SMALL, steps=10**9, tolerance=1e-300), (Key(8, 2, 0),))  # never done
        (worker,) = engine._context.started
        assert worker.is_alive()
    assert worker.exitcode == -signal.SIGTERM


def test_bad_data_on_a_worker_comes_back_as_words(tmp_path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).standard_normal((20, 3)))
    config = Configuration(data=str(tmp_path / "a.npy"), steps=5).checked()
    (tmp_path / "a.npy").unlink()
    with Processes(1) as engine:
        engine.submit(config, (Key(5, 2, 0),))
        with pytest.raises(InputError, match=r"a\.npy"):
            engine.next()


def test_widths_of_theorems() -> None:
    asked = asked_widths(PLAN)
    assert [(a.n, a.variant) for a in asked if a.n == 8] == [(8, "paper"), (8, "explicit"), (8, "sharp")]
    assert {a.claim for a in asked} == {"theorem-gd-smooth"}
    assert all(a.k is None or a.k > 1000 for a in asked)
    relu = asked_widths(Plan(replace(SMALL, activation="relu"), (8,), (2,), trials=1, most=1))
    assert {a.claim for a in relu} == {"theorem-gd-relu"}


def test_the_net_of_a_trial_is_a_value() -> None:
    p = SMALL.problem(8, 2, 0)
    assert isinstance(p.net, ShallowNet)
    assert not p.net.W.flags.writeable


# -- the claim phase-transition -------------------------------------------------------------------------------------


def test_where_the_residual_crosses() -> None:
    ks, tol = [2, 4, 6, 8], phase_transition.TOLERANCE
    assert phase_transition.crossing(ks, tol * np.array([100, 10, 0.1, 0.1])) == pytest.approx(5)
    assert phase_transition.crossing(ks, tol * np.array([100, 10, 0.5, 0.1])) == pytest.approx(
        4 + 2 * math.log(10) / math.log(20)
    )
    assert phase_transition.crossing(ks, tol * np.array([10, 0.1, 10, 0.1])) == pytest.approx(5)  # half-way of 3 and 7
    assert phase_transition.crossing(ks, tol * np.array([0.1, 0.1, 0.1, 0.1])) == 2
    assert phase_transition.crossing(ks, tol * np.array([10, 10, 10, 10])) == 10
    assert phase_transition.crossing(ks, tol * np.array([10, 0.1, 10, 10])) == 9
    assert phase_transition.crossing(ks, tol * np.array([10, 10, 0.0, 0.0])) == pytest.approx(
        4 + 2 * math.log(10) / math.log(200)
    )
    assert phase_transition.widths(45, 10) == [4, 6, 8, 10, 12, 14, 16, 18]
    assert phase_transition.widths(10, 20)[:2] == [2, 4]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_transition_is_near_kd_and_no_false_neighbour_is(seed) -> None:
    claim = phase_transition.CLAIM
    laws = claim.trends + tuple(replace(m.trends[0], name=m.name) for m in claim.mutants)
    both = replace(claim, trends=laws, variants=tuple(Variant(x.name, "") for x in laws), mutants=())
    found = {v.name: v.trend for v in verify_claim(both, Options(seed=seed)).variants}
    for own in claim.trends:
        assert found[own.name].outside < 0.5, own.name
    for mutant in claim.mutants:
        assert found[mutant.name].outside > CLEAR, mutant.name
