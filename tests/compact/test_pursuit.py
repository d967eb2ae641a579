"""Matching pursuit: as the greedy one that takes a point at a time, and the same however the image is cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.compact import pursuit
from kerasseg.compact.field import Field
from kerasseg.compact.kernels import gaussian, mean
from kerasseg.compact.keypoints import Base
from kerasseg.compact.pursuit import Chosen, fit, pursue


def field_of(image, base=None):
    channels = image.shape[-1]
    return Field(image, np.zeros(channels), np.full(channels, 255.0), base)


def drawn(shape, seed=0):
    """Draw smooth noise, of which kernels can make something."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, shape)
    return ((noise + np.roll(noise, 1, -2) + np.roll(noise, 1, -3)) // 3).astype(np.uint8)


def design(kernel, shape):
    """Lay the kernel on every pixel of a plane: (pixels, pixels), a row for each place."""
    radius, rows = kernel.radius, []
    for y, x in np.ndindex(shape):
        plane = np.zeros((shape[0] + 2 * radius, shape[1] + 2 * radius))
        plane[y : y + len(kernel.values), x : x + len(kernel.values)] = kernel.values
        rows.append(plane[radius : radius + shape[0], radius : radius + shape[1]].ravel())
    return np.array(rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.tuples(st.integers(5, 13), st.integers(5, 13)), st.sampled_from([1.0, 0.4]))
def test_of_one_amplitude_the_points_are_those_of_the_greedy_pursuit(seed, shape, amplitude):
    kernel, image = gaussian(), drawn((*shape, 1), seed)
    atoms, left = design(kernel, shape), image.ravel() / 255
    chosen = pursue(field_of(image), kernel, image.size, amplitude=amplitude)

    def gains():
        gain = amplitude * (2 * atoms @ left - amplitude * (atoms**2).sum(axis=1))
        gain[taken] = -1
        return gain

    taken = []
    for index, gain in zip(chosen.index.tolist(), chosen.gain, strict=True):
        assert gains()[index] == pytest.approx(gain, abs=1e-3)
        assert gains()[index] >= gains().max() - 1e-3, "none was better, but for rounding"
        taken.append(index)
        left = left - amplitude * atoms[index]
    assert gains().max() <= 1e-3, "nothing helps any more"
    few = pursue(field_of(image), kernel, len(taken) // 2, amplitude=amplitude)
    assert np.array_equal(few.index, chosen.index[: len(taken) // 2])


def test_one_blob_is_one_point_of_its_height():
    image = np.zeros((11, 12, 1), np.uint8)
    image[1:6, 3:8, 0] = np.rint(200 * gaussian().values)
    chosen = pursue(field_of(image), gaussian(), 1)
    assert chosen.index.tolist() == [3 * 12 + 5]
    assert chosen.amplitude == pytest.approx(200 / 255, abs=0.01)


def test_equal_gains_are_taken_once():
    flat = np.full((30, 30, 1), 255, np.uint8)
    chosen = pursue(field_of(flat), mean(3), 100, amplitude=1.0)
    assert len(chosen.index) == 100  # a tile each, none over another
    assert np.array_equal(np.unique(chosen.index), np.sort(chosen.index))
    assert pursue(field_of(0 * flat), mean(3), 9).index.size == 0


@pytest.mark.parametrize("amplitude", [None, 0.5])
@pytest.mark.parametrize(("block", "passes"), [(16, 8), (23, 2), (40, 1)])
def test_blocks_choose_what_the_whole_does(monkeypatch, amplitude, block, passes):
    monkeypatch.setattr(pursuit, "PASSES", passes)
    image = drawn((2, 61, 90, 1), seed=5)
    small = image[:, ::8, ::8]
    fields = [field_of(image), field_of(image, Base.encode(8, small, channels=True))]
    wholes = [pursue(field, gaussian(1.5, 7), 300, amplitude=amplitude) for field in fields]
    monkeypatch.setattr(pursuit, "BLOCK", block)
    for field, whole in zip(fields, wholes, strict=True):
        parts = pursue(field, gaussian(1.5, 7), 300, amplitude=amplitude)
        assert all(map(np.array_equal, parts, whole))


def test_the_budget_is_for_all_planes():
    image = np.zeros((3, 9, 9, 1), np.uint8)
    image[0, 4, 4] = image[2, 2, 2] = 200
    image[2, 6, 6] = 250
    chosen = pursue(field_of(image), gaussian(), 2)
    assert chosen.index.tolist()[0] == 2 * 81 + 6 * 9 + 6
    assert len(chosen.index) == 2


def test_channels_share_points_and_not_amplitudes():
    image = np.zeros((9, 9, 2), np.uint8)
    image[4, 4] = 255, 51
    image[1, 7] = 0, 204
    chosen = pursue(field_of(image), gaussian(), 2).sorted(np.array([0, 1]))
    assert chosen.index.tolist() == [4 * 9 + 4, 1 * 9 + 7]
    assert chosen.amplitude[0, 0] == pytest.approx(5 * chosen.amplitude[0, 1], abs=0.01)
    assert chosen.amplitude[1, 0] == pytest.approx(0, abs=0.01)


def test_amplitudes_are_fitted_by_least_squares():
    image = drawn((24, 20, 1))
    index = np.sort(np.random.default_rng(1).choice(480, 40, replace=False))
    atoms, values = design(gaussian(), (24, 20))[index].T, image.ravel() / 255
    best = np.linalg.lstsq(atoms, values, rcond=None)[0]
    fitted = fit(field_of(image), gaussian(), index)[:, 0]
    error, least = (((atoms @ each - values) ** 2).sum() for each in (fitted, best))
    assert least <= error < 1.001 * least


def test_bands_fit_what_the_whole_does(monkeypatch):
    monkeypatch.setattr(pursuit, "STEPS", 3)
    image = drawn((2, 70, 20, 2))
    index = np.sort(np.random.default_rng(1).choice(2800, 300, replace=False))
    whole = fit(field_of(image), gaussian(), index)
    monkeypatch.setattr(pursuit, "BLOCK", 16)
    assert np.array_equal(fit(field_of(image), gaussian(), index), whole)


def test_points_are_sorted_by_several_keys():
    points = Chosen(*(np.array(values) for values in ([3, 1, 2], [[0], [1], [2]], [1, 1, 0], [5, 6, 7])))
    assert points.sorted(points.rank, points.index).index.tolist() == [2, 1, 3]
