"""Nucleus-Golgi pairs by numbers: how large they are, where they lie, and what they never do."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from kerasseg.errors import UserError
from kerasseg.synthetic import golgi_masks
from kerasseg.synthetic.golgi_masks import (
    GOLGI,
    NUCLEUS,
    Pair,
    draw_scene,
    random_pair,
    random_rotation,
    rasterise,
)

CUBES = (1.0, 1.0, 1.0)
ALONG_X = np.array([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_pair_by_eye():
    """A nucleus five voxels long and three wide, and to its right a Golgi of one voxel and its neighbours."""
    pair = Pair(np.array([2.0, 1.0, 1.0]), ALONG_X, np.array([0.0, 0.0, 4.0]), 1.0)
    parts, corner = rasterise(pair, CUBES, rng(), bend=0)
    assert corner.tolist() == [-1, -1, -2]
    assert (parts[1, ..., NUCLEUS] + 2 * parts[1, ..., GOLGI]).tolist() == [
        [0, 0, 1, 0, 0, 0, 2, 0],
        [1, 1, 1, 1, 1, 2, 2, 2],
        [0, 0, 1, 0, 0, 0, 2, 0],
    ]
    assert parts[0].sum() == parts[2].sum() == 2


@pytest.mark.parametrize("seed", range(5))
def test_unbent_parts_have_the_volumes_of_an_ellipsoid_and_a_sphere(seed):
    pair, spacing = random_pair(rng(seed)), (0.2, 0.15, 0.15)
    parts, _ = rasterise(pair, spacing, rng(), bend=0)
    golgi, nucleus = parts.reshape(-1, 2).sum(axis=0) * np.prod(spacing)
    assert nucleus == pytest.approx(4 / 3 * np.pi * np.prod(pair.semi_axes), rel=0.02)
    assert golgi == pytest.approx(4 / 3 * np.pi * pair.radius**3, rel=0.03)


def test_sizes_and_gaps_are_those_stated():
    for pair in (random_pair(rng(seed)) for seed in range(30)):
        for length, (low, high) in zip(pair.semi_axes, golgi_masks.SEMI_AXES, strict=True):
            assert low <= length <= high
        assert golgi_masks.RADIUS[0] <= pair.radius <= golgi_masks.RADIUS[1]
        away = np.linalg.norm(pair.golgi)
        surface = away / np.linalg.norm((pair.rotation.T @ pair.golgi) / pair.semi_axes)
        assert golgi_masks.GAP[0] <= away - surface - pair.radius <= golgi_masks.GAP[1] + 1e-9


def test_rotations_turn_and_never_mirror():
    turned = np.array([random_rotation(rng(seed)) for seed in range(300)])
    assert np.allclose(turned @ turned.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(turned), 1)
    assert np.abs(turned.mean(axis=0)).max() < 0.12, "no direction is liked more"


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), z=st.floats(0.3, 1.5), yx=st.floats(0.3, 1.0))
@example(seed=2686, z=1.0, yx=1.0)  # a Golgi that reached into its nucleus
def test_a_bent_pair_stays_in_its_box_apart_and_about_as_large(seed, z, yx):
    pair, spacing = random_pair(rng(seed)), (z, yx, yx)
    parts, _ = rasterise(pair, spacing, rng(seed))
    straight, _ = rasterise(pair, spacing, rng(seed), bend=0)
    assert not parts.all(axis=-1).any()
    for axis in range(3):
        assert not np.moveaxis(parts, axis, 0)[[0, -1]].any(), "nothing cut off by the box"
    grown = parts.reshape(-1, 2).sum(axis=0) / straight.reshape(-1, 2).sum(axis=0)
    assert 0.5 < grown[NUCLEUS] < 2
    assert ndimage.label(parts[..., NUCLEUS], np.ones((3, 3, 3)))[1] == 1


def test_bending_changes_shapes():
    pair = random_pair(rng(1))
    bent = [rasterise(pair, CUBES, rng(seed))[0] for seed in (1, 1, 2)]
    assert np.array_equal(bent[0], bent[1])
    assert not np.array_equal(bent[0], bent[2])


def test_b_splines_keep_straight_lines():
    """Weights add up to 1, and a control grid that grows evenly gives what grows evenly."""
    axis = np.linspace(-7, 9, 50, dtype=np.float32)
    weights = golgi_masks._b_splines(axis)
    controls = axis[0] - golgi_masks.GRID + golgi_masks.GRID * np.arange(weights.shape[1])
    assert np.allclose(weights.sum(axis=1), 1)
    assert np.allclose(weights @ controls, axis, atol=1e-5)


def test_a_scene_numbers_both_parts_of_a_pair_and_tells_their_centres():
    made = draw_scene((24, 96, 96), rng(3), pairs=(6, 6))
    assert made.labels.dtype == np.uint16
    assert len(made.centres) == 6
    for number, parts in enumerate(made.centres, start=1):
        for part, centre in enumerate(parts):
            voxels = np.argwhere(made.labels[..., part] == number)
            assert (len(voxels) == 0) == np.isnan(centre).any()
            if len(voxels):
                assert np.allclose(voxels.mean(axis=0) * golgi_masks.SPACING, centre)
    assert not (made.labels > 0).all(axis=-1).any(), "a voxel is of a nucleus or of a Golgi"


def test_a_golgi_is_as_far_from_its_nucleus_as_stated():
    made = draw_scene((60, 160, 160), rng(4), pairs=(20, 20))
    golgi, nuclei = made.centres[made.complete].swapaxes(0, 1)
    away = np.linalg.norm(golgi - nuclei, axis=1)
    assert len(away) >= 10
    assert away.max() < golgi_masks.SEMI_AXES[0][1] + golgi_masks.GAP[1] + golgi_masks.RADIUS[1] + 3


def test_masks_paint_a_pair_only_where_both_parts_are_seen():
    made = draw_scene((24, 64, 64), rng(5), pairs=(8, 8))
    masks = made.masks()
    assert masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 255}
    assert np.array_equal(masks[..., :2] > 0, made.labels > 0)
    whole = np.flatnonzero(made.complete) + 1
    assert 0 < len(whole) < len(made.centres), "borders cut a pair in two"
    assert np.array_equal(masks[..., 2] > 0, np.isin(made.labels, whole).any(axis=-1))


def test_the_thesis_numbers_of_pairs_fit_the_smallest_of_its_crops():
    size, coarse = (28, 129, 253), (1.0, 0.6, 0.6)  # half as many voxels a side, twice as large
    counts = {len(draw_scene(size, rng(seed), spacing=coarse).centres) for seed in range(3)}
    assert len(counts) > 1
    assert all(40 <= count <= 90 for count in counts)


@settings(deadline=None, max_examples=6)
@given(
    size=st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 99),
    most=st.integers(0, 5),
)
def test_any_size_is_filled_and_a_seed_decides(size, seed, most):
    made, again = (draw_scene(size, rng(seed), pairs=(0, most)) for _ in range(2))
    assert made.labels.shape == (*size, 2)
    assert len(made.centres) <= most
    assert set(np.unique(made.labels)) - {0} == set(range(1, len(made.centres) + 1))
    assert made.masks().shape == (*size, 3)
    assert np.array_equal(made.labels, again.labels)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"size": (4, 4)}, "size"),
        ({"size": (4, 0, 4)}, "size"),
        ({"spacing": (1.0, 0.0, 1.0)}, "spacing"),
        ({"pairs": (9, 3)}, "pairs"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, key):
    with pytest.raises(UserError, match=f"{key}: .*expected"):
        draw_scene(rng=rng(), **{"size": (4, 8, 8), **wrong})
