"""Masks stay on their images, whatever a recipe's transforms do to both: measured for all of them."""

import random

import albumentations
import numpy as np
import pytest
from scipy import ndimage

from kerasseg.data.augment import augmentation
from kerasseg.data.transforms import COMPOSITIONS, build, known_transforms
from kerasseg.errors import UserError

HEIGHT, WIDTH, RADIUS = 160, 208, 9
SEEDS = 12
DEPTH = 4

ARGUMENTS = {
    "Affine": {"scale": [0.7, 1.4], "rotate": [-30, 30]},
    "AtLeastOneBBoxRandomCrop": {"height": 99, "width": 111},
    "CenterCrop": {"height": 99, "width": 111},
    "CenterCrop3D": {"size": [2, 99, 111]},
    "Crop": {"x_min": 7, "y_min": 8, "x_max": 150, "y_max": 141},
    "CropAndPad": {"percent": [-0.2, 0.1]},
    "CropNonEmptyMaskIfExists": {"height": 99, "width": 111},
    "ElasticTransform": {"alpha": 60, "sigma": 8},
    "GridElasticDeform": {"num_grid_xy": [4, 4], "magnitude": 6},
    "LongestMaxSize": {"max_size": 171},
    "OpticalDistortion": {"distort_limit": [-0.3, 0.3]},
    "Pad": {"padding": 7},
    "Pad3D": {"padding": 1},
    "PadIfNeeded": {"min_height": 191, "min_width": 233},
    "PadIfNeeded3D": {"min_zyx": [5, 191, 233]},
    "RandomCrop": {"height": 99, "width": 111},
    "RandomCrop3D": {"size": [2, 99, 111]},
    "RandomResizedCrop": {"size": [160, 208], "scale": [0.5, 0.9]},
    "RandomScale": {"scale_limit": [-0.3, 0.3]},
    "RandomSizedCrop": {"min_max_height": [90, 140], "size": [160, 208]},
    "Resize": {"height": 131, "width": 167},
    "SmallestMaxSize": {"max_size": 131},
    "XYMasking": {"num_masks_x": 1, "num_masks_y": 1, "mask_x_length": 10, "mask_y_length": 10},
}

NOT_MEASURED = {
    **dict.fromkeys(("FDA", "HistogramMatching", "PixelDistributionAdaptation"), "need other images"),
    **dict.fromkeys(("Mosaic", "OverlayElements"), "need other images"),
    **dict.fromkeys(("AtLeastOneBBoxRandomCrop", "BBoxSafeRandomCrop"), "need boxes, which no sample has"),
    **dict.fromkeys(("RandomCropNearBBox", "RandomSizedBBoxSafeCrop"), "need boxes, which no sample has"),
    **dict.fromkeys(("ConstrainedCoarseDropout", "MaskDropout"), "erase the objects that would be measured"),
    "Lambda": "changes nothing by itself",
    "GridDropout": "erases a part of every object",
    "CubicSymmetry": "of cubes, which `test_augment` turns",
    "TextImage": "needs a font",
    "ToRGB": "of grey images only",
    "Normalize": "leaves [0, 1]",
    "FromFloat": "turns floats into whole numbers",
    "InvertImg": "makes objects dark, and moves nothing",
    "Solarize": "makes objects dark, and moves nothing",
    "RandomGridShuffle": "cuts objects into parts, alike in image and mask",
    "RandomSunFlare": "brightens objects on one side",
    "Emboss": "lights each object from one side: it has an edge less there",
    "GlassBlur": "swaps neighbouring pixels at random",
    "ZoomBlur": "smears pixels outwards from the middle",
}


def scene() -> np.ndarray:
    """Draw discs well apart, at no regular places: (Y, X) uint8."""
    places = np.random.default_rng(5)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for y in range(20, HEIGHT - 15, 30):
        for x in range(20, WIDTH - 15, 30):
            dy, dx = places.uniform(-3, 3, 2)
            mask |= ((rows - y - dy) ** 2 + (columns - x - dx) ** 2 < RADIUS**2).astype(np.uint8)
    return mask


SCENE = scene()


def displacements(image: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """Measure how far each whole object of a mask lies from the bright pixels about it: (y, x) in pixels."""
    labels = ndimage.label(mask == 1)[0]
    away = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        wide = tuple(slice(side.start - 3, side.stop + 3) for side in box)
        inside = all(side.start >= 0 and side.stop <= n for side, n in zip(wide, mask.shape, strict=True))
        near = inside and ndimage.binary_dilation(labels[wide] == number, iterations=3)
        if not inside or (labels[wide][near] == number).sum() != (labels[wide][near] > 0).sum():
            continue
        bright = np.where(near, image[wide], 0) if image.max() > 0 else near
        bright = np.clip(bright - np.percentile(image[wide][near], 10), 0, None)
        if bright.any():
            centre = ndimage.center_of_mass(bright)
            away.append(np.subtract(ndimage.center_of_mass(labels[wide] == number), centre))
    return away


def change(name: str, seed: int, **images: np.ndarray) -> dict[str, np.ndarray]:
    arguments = ARGUMENTS.get(name, {})
    compose = albumentations.Compose(build([{name: {**arguments, "p": 1.0}}]))
    compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return compose(**images)


MEASURED = sorted(set(known_transforms()) - set(COMPOSITIONS) - set(NOT_MEASURED))
PLANAR = [name for name in MEASURED if not issubclass(known_transforms()[name], albumentations.Transform3D)]
NOT_OF_VOLUMES = ("CropNonEmptyMaskIfExists", "LongestMaxSize", "SmallestMaxSize")  # in 2.0.8
SPATIAL = sorted(
    name
    for name in set(MEASURED) - set(NOT_OF_VOLUMES)
    if issubclass(known_transforms()[name], albumentations.DualTransform)
)
IMAGE = np.repeat(SCENE[..., None] * np.float32(0.8) + np.float32(0.1), 3, axis=2)


def test_what_is_not_measured_is_there_and_says_why():
    assert set(NOT_MEASURED) <= set(known_transforms())
    assert set(ARGUMENTS) <= set(known_transforms())
    assert len(MEASURED) > 80


@pytest.mark.parametrize("name", PLANAR)
def test_a_mask_stays_on_its_image(name):
    changes = [change(name, seed, image=IMAGE, mask=SCENE) for seed in range(SEEDS)]
    away = [displacements(each["image"].mean(-1), each["mask"]) for each in changes]
    assert movement(away) < 0.1


@pytest.mark.parametrize("name", SPATIAL)
def test_the_mask_of_a_volume_stays_on_it(name):
    planes = {"image": IMAGE, "volume": np.stack([IMAGE] * DEPTH), "mask3d": np.stack([SCENE] * DEPTH)}
    changes = [change(name, seed, **planes) for seed in range(SEEDS)]
    away = [displacements(each["volume"][1].mean(-1), each["mask3d"][1]) for each in changes]
    assert movement(away) < 0.1


@pytest.mark.parametrize("name", NOT_OF_VOLUMES)
def test_what_albumentations_cannot_do_to_volumes_is_a_message(name):
    augment = augmentation([{name: {**ARGUMENTS.get(name, {}), "p": 1.0}}])
    with pytest.raises(UserError, match="the transforms cannot change an image"):
        augment(np.stack([IMAGE] * DEPTH), np.stack([SCENE] * DEPTH), 0)


def movement(away: list[list[np.ndarray]]) -> float:
    """Average over images how far most of an image's objects moved, so that opposite ways do not cancel."""
    medians = [np.abs(np.median(objects, axis=0)) for objects in away if objects]
    assert len(medians) > SEEDS // 2
    return np.mean(medians, axis=0).max()


def test_nearest_pixels_are_the_default_that_a_recipe_may_change():
    (resize,) = build([{"Resize": {"height": 8, "width": 8}}])
    assert resize.mask_interpolation == 6
    (resize,) = build([{"Resize": {"height": 8, "width": 8, "mask_interpolation": 0}}])
    assert resize.mask_interpolation == 0
    (rotate,) = build([{"Rotate": {}}])
    assert rotate.mask_interpolation == 0  # it knows no other, and rounds by itself
