"""Images from key points: by eye, in parts as whole, and what a base adds."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.compact import rebuilding
from kerasseg.compact.kernels import gaussian
from kerasseg.compact.keypoints import Base, Kernel, KeyPoints
from kerasseg.compact.rebuilding import enlarge, rebuild

CROSS = Kernel("gaussian", "peak", np.array([[0, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 0]], np.float32))


def key_points(shape, positions, amplitudes=None, *, axes="YX", kernel=CROSS, **values):
    channels = shape[-1] if axes.endswith("C") else 1
    standing = {
        "dtype": "uint8",
        "offset": np.zeros(channels),
        "step": np.full(channels, 10.0),
        "limits": np.tile([0, 255], (channels, 1)),
    }
    return KeyPoints(
        "grey",
        axes,
        shape,
        positions=np.array(positions),
        amplitudes=amplitudes,
        kernel=kernel,
        **standing | values,
    )


def test_points_become_kernels_that_add_up_and_end_at_the_border():
    points = key_points((3, 5), [[0, 0], [1, 2], [1, 3]], np.array([[2], [4], [-1]]))
    assert rebuild(points).tolist() == [[20, 10, 20, 0, 0], [10, 20, 35, 10, 0], [0, 0, 20, 0, 0]]


def test_without_amplitudes_every_point_is_one_step_up_to_the_limits():
    points = key_points((1, 4), [[0, 1], [0, 2]], offset=np.array([7.0]), limits=np.array([[0, 20]]))
    assert rebuild(points).tolist() == [[12, 20, 20, 12]]


def test_every_channel_has_amplitudes_of_its_own():
    points = key_points((1, 2, 2), [[0, 0]], np.array([[1, 3]]), axes="YXC", step=np.array([10.0, 1.0]))
    assert rebuild(points).tolist() == [[[10, 3], [5, 2]]]


def test_planes_share_nothing():
    points = key_points((3, 1, 2), [[0, 0, 0], [2, 0, 1]], axes="ZYX")
    assert rebuild(points).tolist() == [[[10, 5]], [[0, 0]], [[5, 10]]]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_base_is_enlarged_and_added_to(dtype):
    small = np.full((2, 2), 100, dtype)
    points = key_points(
        (3, 4), [[2, 3]], np.array([[-2]]), dtype=dtype, base=Base.encode(2, small, channels=False)
    )
    again = rebuild(points)
    assert again.dtype == dtype
    assert again.tolist() == [[100, 100, 100, 100], [100, 100, 100, 90], [100, 100, 90, 80]]


def test_enlarging_is_opencvs():
    small = np.random.default_rng(0).integers(0, 65536, (9, 7)).astype(np.uint16)
    whole = enlarge(small, 8, slice(0, 72), slice(0, 56))
    judged = cv2.resize(small.astype(np.float32), (56, 72), interpolation=cv2.INTER_CUBIC)
    assert whole == pytest.approx(judged, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_region_is_what_lies_there_in_the_whole(data):
    axes = data.draw(st.sampled_from(["YX", "YXC", "ZYX", "TZYXC"]))
    sides = {"Y": st.integers(1, 40), "X": st.integers(1, 40)}
    shape = tuple(data.draw(sides.get(axis, st.integers(1, 2))) for axis in axes)
    grid = shape[: len(axes.removesuffix("C"))]
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    positions = np.argwhere(random.random(grid) < 0.1)
    channels = shape[-1] if axes.endswith("C") else 1
    base = None
    if data.draw(st.booleans()):
        small = (*grid[:-2], -(-grid[-2] // 4), -(-grid[-1] // 4), *shape[len(grid) :])
        base = Base.encode(4, random.integers(0, 256, small).astype(np.uint8), channels=axes.endswith("C"))
    amplitudes = random.integers(-9, 10, (len(positions), channels))
    kernel = gaussian(1.1, 5, data.draw(st.sampled_from(["peak", "sum"])))
    points = key_points(
        shape, positions, amplitudes, axes=axes, kernel=kernel, base=base, step=np.full(channels, 7.3)
    )
    starts = [data.draw(st.integers(0, side - 1)) for side in grid]
    stops = [data.draw(st.integers(start + 1, side)) for start, side in zip(starts, grid, strict=True)]
    region = tuple(map(slice, starts, stops))
    assert np.array_equal(rebuild(points, region), rebuild(points)[region])


def test_bands_leave_no_seams(monkeypatch):
    random = np.random.default_rng(3)
    positions = np.argwhere(random.random((50, 30)) < 0.2)
    points = key_points(
        (50, 30), positions, random.integers(1, 9, (len(positions), 1)), kernel=gaussian(2, 9)
    )
    whole = rebuild(points)
    monkeypatch.setattr(rebuilding, "BAND", 7)
    assert np.array_equal(rebuild(points), whole)
