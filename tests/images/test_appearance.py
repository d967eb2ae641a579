"""Whether an image is unlike those of a training, on textures and on real images that were altered."""

import json
from dataclasses import asdict
from typing import ClassVar

import cv2
import numpy as np
import pytest

from kerasseg.images import files
from kerasseg.images.appearance import BALANCED, MEASURES, SIDE, Appearance, blocks, measure
from kerasseg.images.normalisation import Percentile
from kerasseg.images.preprocessing import Preprocessing


def discs(seed: int, side: int = 128, radius: int = 6, channels: int = 1) -> np.ndarray:
    """Light discs on dark ground, a little blurred and noisy: (Y, X, C) float32 in [0, 1]."""
    rng = np.random.default_rng(seed)
    image = np.full((side, side), 0.1, np.float32)
    for y, x in rng.integers(0, side, (side * side // (radius * radius * 16), 2)):
        cv2.circle(image, (int(x), int(y)), radius, 0.8, -1)
    image = cv2.GaussianBlur(image, (0, 0), 1) + rng.normal(0, 0.01, image.shape)
    return np.repeat(np.clip(image, 0, 1).astype(np.float32)[..., None], channels, axis=-1)


@pytest.fixture(scope="module")
def appearance():
    return Appearance.of(discs(seed) for seed in range(40))


def enlarged(image):
    return cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)[..., None]


ALTERED = {
    "brighter": (lambda image: 1 - image, "invert"),
    "coarser": (enlarged, "--diameter"),
    "finer": (lambda image: np.tile(image[::2, ::2], (2, 2, 1)), "--diameter"),
    "less sharp": (lambda image: cv2.GaussianBlur(image, (0, 0), 3)[..., None], "focus"),
    "saturated": (lambda image: np.clip(image * 8, 0, 1), "exposure"),
    "noisier": (
        lambda image: np.clip(image + np.random.default_rng(0).normal(0, 0.2, image.shape), 0, 1),
        "focus",
    ),
}


@pytest.mark.parametrize("name", ALTERED)
def test_what_was_altered_is_told_with_what_to_do(appearance, name):
    alter, advice = ALTERED[name]
    for seed in range(100, 105):
        difference = appearance.difference(alter(discs(seed)).astype(np.float32))
        assert name in difference
        assert advice in difference


def test_images_of_the_same_kind_are_not_told_of(appearance):
    told = [bool(appearance.difference(discs(seed))) for seed in range(100, 200)]
    assert sum(told) <= 2


def test_what_augmentation_makes_up_for_is_no_difference():
    inverted = (1 - discs(seed) if seed % 2 else discs(seed) for seed in range(80))
    assert Appearance.of(inverted).difference(1 - discs(100)) == ""


def test_empty_parts_of_a_slide_say_nothing(appearance):
    slide = np.full((1024, 1024, 1), 0.5, np.float32)
    slide[:512, :] = np.block([[[discs(row * 8 + column)] for column in range(8)] for row in range(4)])
    assert appearance.difference(slide) == ""
    assert "contrast" in appearance.difference(np.full((1024, 1024, 1), 0.5, np.float32))


def test_channels_in_another_order_are_told_of():
    weights = np.array([1, 0.5, 0.2], np.float32)
    appearance = Appearance.of(discs(seed, channels=3) * weights for seed in range(40))
    image = discs(100, channels=3) * weights
    assert appearance.difference(image) == ""
    told = appearance.difference(image[..., ::-1])
    assert "weaker in channel 1" in told
    assert "stronger in channel 3" in told


def test_channels_beside_the_image_are_not_looked_at(appearance):
    beside = np.concatenate([discs(100), np.ones((128, 128, 1), np.float32)], axis=-1)
    assert appearance.difference(beside) == ""


def test_few_regions_of_a_huge_image_are_read(appearance):
    class Slide:
        shape = (100_000, 70_000, 1)
        regions: ClassVar = []

        def __getitem__(self, region):
            self.regions.append(region)
            return discs(len(self.regions))

    assert appearance.difference(Slide()) == ""
    assert len(Slide.regions) == 16
    assert {part.stop - part.start for region in Slide.regions for part in region} == {128}


def test_blocks_cover_an_image_and_are_single_planes_of_a_volume():
    numbers = np.arange(5 * 7, dtype=np.float32).reshape(5, 7, 1)
    cut = list(blocks(numbers, 4))
    assert [block.shape for block in cut] == [(4, 4, 1)] * 4
    assert set(np.concatenate([block.ravel() for block in cut])) == set(range(35))
    assert [block.shape for block in blocks(np.zeros((3, 8, 4, 2)), 4)] == [(4, 4, 2)] * 6
    assert [block.shape for block in blocks(numbers, 9)] == [(5, 7, 1)]


def test_scale_and_contrast_are_told_apart():
    names = list(MEASURES)
    plain, pale, large = (measure(image) for image in (discs(0), discs(0) / 2, enlarged(discs(0))))
    fineness = [names.index(name) for name in ("sharpness", "fineness", "coarseness")]
    np.testing.assert_allclose(plain[fineness], pale[fineness], atol=1e-3)
    assert (large[fineness] < plain[fineness]).all()


def test_a_block_without_contrast_is_measured():
    assert np.isfinite(measure(np.zeros((8, 8, 1), np.float32))).all()


def test_it_is_read_back_and_what_others_measured_is_left_out(appearance):
    written = json.loads(json.dumps(asdict(appearance)))
    assert Appearance.from_json(written) == appearance
    assert Appearance.from_json({"side": 128, "ranges": {"entropy": [0, 1]}}) is None
    of_colours = Appearance.of([discs(0, channels=3)])
    assert list(of_colours.ranges)[-1] == f"{BALANCED}3"
    assert Appearance.from_json(asdict(of_colours)) == of_colours


@pytest.mark.parametrize(
    "damage", [{"side": 0}, {"side": SIDE + 1}, {"ranges": {"brightness": [0]}}, {"ranges": [1]}]
)
def test_a_damaged_one_is_refused(appearance, damage):
    with pytest.raises((TypeError, ValueError)):
        Appearance.from_json({**asdict(appearance), **damage})


def test_phase_contrast_and_fluorescence_are_unlike_each_other(shared_data):
    preprocessing = Preprocessing(1, Percentile(), None)

    def prepared(paths):
        return [preprocessing.image(files.read(path)[..., :3]) for path in paths[::4]]

    phase = prepared(sorted((shared_data / "phase_kaggle" / "train").glob("*.png")))
    nuclei = prepared(sorted((shared_data / "nuclei_dsb2018").rglob("images/*.png")))
    assert all(map(Appearance.of(phase).difference, nuclei))
    assert any(map(Appearance.of(nuclei).difference, phase))  # these hold much that differs
