"""Test policy: Hypothesis profiles, the slow marker, one thread of randomness per test."""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from pathlib import Path

# Instances in tests are small: a second BLAS thread only spins, on a busy machine for minutes. For subprocesses too.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

settings.register_profile(
    "default",
    deadline=None,  # compiled kernels and shared machines make single timings meaningless
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("campaign", parent=settings.get_profile("default"), derandomize=False, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """The same for BLAS libraries that were loaded before the variable was set."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def plugin_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which this package's pytest plugin is installed, as pip leaves it.

    So that subprocesses load the plugin of this checkout, whether or not some jacspec is installed: pytest takes one
    entry point of a name, and this folder comes first.
    """
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).resolve().parent.parent / "setup.cfg", encoding="utf-8")
    entry = setup["options.entry_points"]["pytest11"].strip()
    site = tmp_path_factory.mktemp("site")
    info = site / "jacspec_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jacspec-plugin\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{entry}\n", encoding="utf-8")
    return site


@pytest.fixture
def flint_context_is_left_alone() -> Iterator[None]:
    """flint's global precision and series cap come back as they were."""
    from flint import ctx

    before = ctx.prec, ctx.cap
    yield
    after = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = before
    assert after == before


@pytest.fixture
def many_bits() -> Iterator[None]:
    """flint computes with 300 bits."""
    from flint import ctx

    saved = ctx.prec
    ctx.prec = 300
    yield
    ctx.prec = saved


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite on at most four processes; benchmarks, and a few files named by hand, on this one."""
    if config.getoption("benchmark_only") or config.args != config.getini("testpaths"):
        return 0
    return min(4, len(os.sched_getaffinity(0)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", default=False, help="run the tests marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow; run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)
