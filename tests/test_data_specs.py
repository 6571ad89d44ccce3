"""Data specs: what sphere:n=50,d=20 and its like mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jacspec.data import (
    load,
    row_structure,
)


def test_sphere_and_gaussian_are_the_documented_numbers():
    Z = np.random.default_rng(7).standard_normal((50, 20))
    sphere = load("sphere:n=50,d=20,seed=7")
    assert np.array_equal(sphere.X, Z / np.linalg.norm(Z, axis=1, keepdims=True))
    assert sphere.raw is sphere.X
    assert not sphere.normalized
    assert sphere.y is None
    gaussian = load(" gaussian : n = 50, d=20 , seed=7", normalize=True)
    assert np.array_equal(gaussian.raw, Z)
    assert gaussian.normalized
    # Normalising in powers of two first changes no bit, and the sphere is not normalised twice.
    assert gaussian.sha256 == sphere.sha256 == load("sphere:n=50,d=20,seed=7", normalize=True).sha256
    assert load("sphere:n=5,d=2").sha256 == load("sphere:d=2,seed=0,n=5").sha256 != load("sphere:n=5,d=2,seed=1").sha256


@pytest.mark.parametrize("d, groups, angle", [(2, 3, 0.2), (10, 6, 0.1), (40, 1, 1e-8), (3, 5, math.pi / 2)])
def test_clusters(d, groups, angle):
    X = load(f"clusters:n=60,d={d},groups={groups},angle={angle!r},seed=3").X
    Z = np.random.default_rng(3).standard_normal((groups, d))
    centres = (Z / np.linalg.norm(Z, axis=1, keepdims=True))[np.arange(60) % groups]
    angles = 2 * np.arctan2(np.linalg.norm(X - centres, axis=1), np.linalg.norm(X + centres, axis=1))
    slack = 1e-14
    assert (angles >= 0.5 * angle - slack).all()
    assert (angles <= angle + slack).all()
    assert angles.max() > 0.9 * angle
    assert angles.min() < 0.6 * angle
    assert row_structure(X).repeated == ()


def test_clusters_of_no_width_repeat_exactly():
    found = load("clusters:n=12,d=7,groups=4,angle=0").structure
    assert found.repeated == tuple((i % 4, i) for i in range(4, 12))
    assert found.lines == 4
    assert found.rank == 4


@pytest.mark.parametrize(
    "name, shape, rank_",
    [
        ("iris", (150, 4), 4),
        ("wine", (178, 13), 13),
        ("breast_cancer", (569, 30), 30),
        ("digits", (1797, 64), 61),
        ("diabetes", (442, 10), 10),
    ],
)
def test_sklearn(name, shape, rank_):
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    data = load(f"sklearn:{name}", normalize=True)
    assert data.X.shape == shape
    assert np.array_equal(data.raw, X)
    assert np.array_equal(data.y, y)
    assert data.y.dtype == np.float64
    assert (data.structure.rank, data.structure.rank_proved) == (rank_, True)
    assert data.row_norm_defect < 1e-15


def test_iris_repeats_a_row():
    found = load("sklearn:iris", normalize=True).structure
    assert found.repeated == ((101, 142),)
    assert found.antipodal == ()
    assert load("sklearn:iris", normalize=True, drop_repeated=True).n == 149
    # Digits has no two images that are multiples of each other.
    assert load("sklearn:digits", normalize=True).structure.lines == 1797
