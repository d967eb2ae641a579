"""Key points beside codecs: at the same bytes, at the same likeness, and what is measured afterwards."""

import math

import imagecodecs
import numpy as np
import pytest
import tifffile

from kerasseg.compact import comparison
from kerasseg.compact.kernels import pixel
from kerasseg.compact.keypoints import KeyPoints
from kerasseg.metrics.similarity import ssim_11

DISC = np.zeros((40, 50), np.uint8)
DISC[10:20, 5:15] = 200
DISC[25:35, 20:40] = 100
DISC += np.uint8(10)


def test_planes_are_shown_between_the_darkest_and_the_brightest_of_the_original():
    stored = np.arange(1000, 3001, dtype=np.uint16).reshape(3, 667)
    shown = comparison.shown(stored, stored)
    assert (shown.min(), shown.max(), shown.dtype) == (0, 255, np.uint8)
    assert comparison.shown(np.full((2, 2), 2000, np.uint16), stored).tolist() == [[128, 128]] * 2
    assert comparison.shown(np.zeros((2, 2), np.uint16), stored).max() == 0
    assert comparison.shown(np.full((2, 2), 9, np.uint8), np.full((2, 2), 9, np.uint8)).max() == 0


@pytest.fixture(scope="module")
def field(shared_data):
    path = shared_data / "neubias" / "xyc_16bit__hela-cells.tif"
    if not path.is_file():
        pytest.skip(f"the image is not here: {path}")
    return tifffile.imread(path)[:448, :512, 1]


def test_codecs_are_found_at_the_same_bytes_and_at_the_same_likeness(field):
    shown = comparison.shown(field, field)
    again = imagecodecs.jpeg2k_decode(imagecodecs.jpeg2k_encode(shown, level=32, codecformat="j2k"))
    stored = shown
    found = list(comparison.contenders(stored, again, 4119))
    by = {(each.group, each.name): each for each in found}
    codecs = [codec.name for codec in comparison.CODECS]
    assert [name for group, name in by if group == "same bytes"] == codecs
    assert [name for group, name in by if group == "same SSIM"] == codecs
    wanted = ssim_11(shown, comparison.shown(again, stored), 255)
    for (group, _), each in by.items():
        if group == "same bytes":
            assert 0.8 * 4119 < each.bytes <= 1.03 * 4119
        if group == "same SSIM":
            assert ssim_11(shown, each.image, 255) >= wanted
    # figures of gunet_measured.md, seen with other programs' loops
    assert by["lossless", "JPEG XL, lossless"].bytes == pytest.approx(106_383, rel=0.01)
    assert by["trivial", "1-bit bitmap"].bytes == pytest.approx(3_554, rel=0.01)
    assert wanted == pytest.approx(0.894, abs=0.002)
    scores = comparison.scored(by["points", "key points"], shown)
    assert scores["dice"] == pytest.approx(0.938, abs=0.002)
    assert scores["skeleton_f"] == pytest.approx(0.833, abs=0.02)
    assert scores["intensity_error"] == pytest.approx(0.037, abs=0.005)


def test_lossy_codecs_lose_and_are_given_what_they_take():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    for codec in comparison.CODECS:
        worst, best = (codec.encode(noise, codec.qualities[which]) for which in (0, -1))
        assert len(worst) < len(best) / 2, codec.name
        assert codec.decode(worst).shape == noise.shape
        assert not np.array_equal(codec.decode(worst), noise), codec.name


def test_a_codec_that_cannot_be_so_small_is_left_out():
    noise = np.random.default_rng(0).integers(0, 256, (16, 16)).astype(np.uint8)
    groups = [each.group for each in comparison.contenders(noise, noise, 3)]
    assert "same bytes" not in groups
    assert groups.count("lossless") == 2


def test_what_is_measured_afterwards():
    same = comparison.measured_afterwards(DISC, DISC)
    assert same == {"dice": 1, "skeleton_f": 1, "intensity_error": 0}
    moved = comparison.measured_afterwards(DISC, np.roll(DISC, 1, axis=0))
    assert moved["skeleton_f"] == 1  # within 1.5 pixels
    assert 0.8 < moved["dice"] < 0.95
    far = comparison.measured_afterwards(DISC, np.roll(DISC, 4, axis=0))
    assert far["skeleton_f"] < 0.6
    half = np.where(DISC > 150, DISC // 2, DISC)  # one object of two has half its light
    assert comparison.measured_afterwards(DISC, half)["intensity_error"] == pytest.approx(0.25)
    black = comparison.measured_afterwards(DISC, np.zeros_like(DISC))
    assert black == {"dice": 0, "skeleton_f": 0, "intensity_error": 1}
    nothing = comparison.measured_afterwards(np.full_like(DISC, 7), DISC)
    assert all(map(math.isnan, nothing.values()))


def test_bytes_are_counted_in_four_ways():
    points = KeyPoints(
        method="grey",
        axes="YX",
        shape=(4, 4),
        dtype="uint8",
        positions=np.array([[0, 0], [1, 1], [2, 2], [3, 3]]),
        amplitudes=np.array([[1], [1], [-1], [-1]], np.int32),
        kernel=pixel(),
        offset=np.zeros(1),
        step=np.ones(1),
        limits=np.array([[0, 255]]),
    )
    sizes = comparison.sizes(points, 99)
    assert sizes["paper"] == 10
    assert sizes["file"] == 99
    assert sizes["positions"] == pytest.approx(math.log2(math.comb(16, 4)) / 8)
    assert sizes["amplitudes"] == pytest.approx(4 * 1 / 8)
