from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kerasseg.data.augment import augmentation
from kerasseg.errors import UserError

CHAIN = [
    {"HorizontalFlip": {"p": 0.5}},
    {"VerticalFlip": {"p": 0.5}},
    {"Affine": {"scale": [0.8, 1.0], "translate_percent": [-0.1, 0.1], "p": 1.0}},
    {"RandomBrightnessContrast": {}},
]


def pair(channels=3, dtype=np.uint8):
    mask = np.zeros((32, 48), np.uint8)
    mask[5:20, 8:30] = 1
    image = np.repeat(mask[..., None] * 200.0, channels, axis=2) + 20
    return (image if dtype == np.uint8 else image / 255).astype(dtype), mask


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_shapes_and_types_are_kept(channels, dtype):
    image, mask = pair(channels, dtype)
    changed, drawn = augmentation(CHAIN)(image, mask, 3)
    assert (changed.shape, changed.dtype) == (image.shape, image.dtype)
    assert (drawn.shape, drawn.dtype) == (mask.shape, mask.dtype)


def test_a_seed_decides_and_threads_do_not():
    image, mask = pair()
    augment = augmentation(CHAIN)
    alone = [augment(image, mask, seed)[0].tobytes() for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda seed: augment(image, mask, seed)[0].tobytes(), range(40)))
    assert together == alone
    assert len(set(alone)) > 30


def test_image_and_mask_move_together():
    image, mask = pair()
    for seed in range(10):
        changed, drawn = augmentation(CHAIN[:3])(image, mask, seed)
        assert ((changed[..., 0] > 120) == (drawn == 1)).mean() > 0.98


def test_outside_is_mirrored():
    image, mask = np.full((32, 32, 1), 200, np.uint8), np.ones((32, 32), np.uint8)
    changed, drawn = augmentation([{"Affine": {"scale": [0.5, 0.5], "p": 1}}])(image, mask, 0)
    assert (changed == 200).all()
    assert (drawn == 1).all()


def test_a_constant_border_is_ignored():
    image, mask = np.full((32, 32, 1), 200, np.uint8), np.ones((32, 32), np.uint8)
    border = {"Affine": {"scale": [0.5, 0.5], "border_mode": 0, "p": 1}}
    changed, drawn = augmentation([border])(image, mask, 0)
    assert changed[0, 0, 0] == 0
    assert set(np.unique(drawn)) == {1, 255}


def test_nothing_to_do_changes_nothing():
    image, mask = pair()
    assert augmentation([])(image, mask, 1)[0] is image


def test_all_mistakes_at_once():
    chain = [
        {"HorizontalFlipp": {}},
        {"Affine": {"scal": [0.8, 1.0]}},
        {"Affine": {"scale": "wide"}},
        {"Compose": {}},
    ]
    with pytest.raises(UserError) as raised:
        augmentation(chain)
    text = "\n".join(raised.value.messages)
    assert len(raised.value.messages) == 4
    assert "did you mean 'HorizontalFlip'" in text
    assert "argument of Affine 'scal'" in text
    assert "Affine cannot be made of {'scale': 'wide'}" in text


def test_a_transform_that_changes_the_size_is_refused():
    image, mask = pair()
    with pytest.raises(UserError, match=r"\(32, 48\).*\(8, 8\)"):
        augmentation([{"RandomCrop": {"height": 8, "width": 8}}])(image, mask, 0)
