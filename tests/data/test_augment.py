from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kerasseg.data.augment import augmentation, check_fit
from kerasseg.data.transforms import mistakes
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


NESTED = [
    {
        "OneOf": {
            "transforms": [
                {"HorizontalFlip": {"p": 1}},
                {"Sequential": {"transforms": [{"VerticalFlip": {"p": 1}}, {"Transpose": {"p": 1}}], "p": 1}},
            ],
            "p": 1,
        }
    },
    {"SomeOf": {"transforms": [{"RandomRotate90": {}}, {"Affine": {"scale": [0.5, 0.9]}}], "n": 1}},
]


def test_nested_transforms_follow_the_seed_too():
    image, mask = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8), np.eye(32, dtype=np.uint8)
    first, second = augmentation(NESTED), augmentation(NESTED)
    alone = [first(image, mask, seed)[0].tobytes() for seed in range(40)]
    assert [second(image, mask, seed)[0].tobytes() for seed in reversed(range(40))] == alone[::-1]
    assert len(set(alone)) > 15


def test_one_of_takes_one_of_them():
    image, mask = np.random.default_rng(0).integers(0, 255, (8, 8, 1), np.uint8), np.zeros((8, 8), np.uint8)
    augment = augmentation(NESTED[:1])
    turned = image.transpose(1, 0, 2)[:, ::-1]
    expected = {image[:, ::-1].tobytes(), turned.tobytes()}
    assert {augment(image, mask, seed)[0].tobytes() for seed in range(20)} == expected


def test_mistakes_inside_are_found_with_their_places():
    inner = [{"VerticalFlipp": {}}, {"Affine": {"scal": 1}}, {"SomeOf": {"transforms": [], "n": 1}}]
    chain = [{"OneOf": {"transforms": inner, "q": 1}}, {"Sequential": {"transforms": [{"NoOp": {}}], "p": 7}}]
    places = {".".join(map(str, place)): text for place, text in mistakes(chain)}
    assert list(places) == ["0", *(f"0.OneOf.transforms.{at}" for at in range(3)), "1"]
    assert "unknown argument of OneOf 'q'" in places["0"]
    assert "did you mean 'VerticalFlip'" in places["0.OneOf.transforms.0"]
    assert "transforms is empty" in places["0.OneOf.transforms.2"]
    assert "p is 7" in places["1"]


@pytest.mark.parametrize(("n", "p"), [(0, 1), ("2", 1), (1, "often"), (True, 1)])
def test_what_albumentations_would_trip_over_while_training_is_refused(n, p):
    with pytest.raises(UserError, match=r"data\.augment\.0: SomeOf cannot be made"):
        augmentation([{"SomeOf": {"transforms": [{"NoOp": {}}], "n": n, "p": p}}])


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("FDA", "fda_metadata"), ("RandomCropNearBBox", "cropping_bbox"), ("BBoxSafeRandomCrop", "bboxes")],
)
def test_what_needs_more_than_an_image_and_a_mask_is_refused(name, lacking):
    with pytest.raises(UserError, match=f"{name} cannot be made.*it needs .*{lacking}"):
        augmentation([{name: {}}])


@pytest.mark.parametrize("name", ["DualTransform", "ImageOnlyTransform", "Transform3D"])
def test_what_is_no_transform_by_itself_is_unknown(name):
    with pytest.raises(UserError, match=f"unknown transform '{name}'"):
        augmentation([{name: {}}])


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
    assert "Affine cannot be made from {'scale': 'wide'}" in text


def test_a_transform_that_changes_the_size_is_refused():
    image, mask = pair()
    with pytest.raises(UserError, match=r"\(32, 48\).*\(8, 8\)"):
        augmentation([{"RandomCrop": {"height": 8, "width": 8}}])(image, mask, 0)


def volume(channels=2, dtype=np.uint8, classes=()):
    mask = np.zeros((16, 16, 16, *classes), np.uint8)
    mask[2:9, 3:12, 4:7] = 1
    image = np.repeat((mask if not classes else mask[..., 0])[..., None] * 200.0, channels, axis=3) + 20
    return (image if dtype == np.uint8 else image / 255).astype(dtype), mask


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("classes", [(), (3,)])
def test_volumes_and_masks_of_any_kind_move_together(channels, dtype, classes):
    image, mask = volume(channels, dtype, classes)
    augment = augmentation([*CHAIN, {"RandomRotate90": {}}, {"CubicSymmetry": {}}, {"GaussNoise": {}}])
    bright = np.median(image)
    for seed in range(6):
        changed, drawn = augment(image, mask, seed)
        assert (changed.shape, changed.dtype) == (image.shape, image.dtype)
        assert (drawn.shape, drawn.dtype) == (mask.shape, mask.dtype)
        there = drawn if not classes else drawn[..., 0]
        assert changed[..., 0][there == 1].mean() > changed[..., 0][there == 0].mean() + bright
        assert np.array_equal(changed, augment(image, mask, seed)[0])


def test_a_volume_is_turned_plane_by_plane():
    image, mask = volume()
    changed, drawn = augmentation([{"HorizontalFlip": {"p": 1}}, {"RandomRotate90": {"p": 1}}])(
        image, mask, 0
    )
    turned = [np.rot90(mask[:, :, ::-1], times, axes=(1, 2)) for times in range(4)]
    assert any(np.array_equal(drawn, each) for each in turned)
    assert np.array_equal(changed[..., 1] == 220, drawn == 1)


def test_masks_of_overlapping_classes_move_with_2d_images_too():
    image, mask = pair()
    both = np.stack([mask, 1 - mask], axis=-1)
    changed, drawn = augmentation(CHAIN[:3])(image, both, 2)
    assert drawn.shape == both.shape
    assert ((changed[..., 0] > 120) == (drawn[..., 0] == 1)).mean() > 0.98


def test_what_does_not_fit_the_images_is_refused_in_words():
    with pytest.raises(UserError, match=r"cannot change an image of \(16, 16, 16, 2\).*leave out"):
        augmentation([{"ToSepia": {"p": 1}}])(*volume(), 0)


CUBES = [{"OneOf": {"transforms": [{"CubicSymmetry": {"p": 1}}, {"NoOp": {}}]}}]


def test_symmetries_of_a_cube_need_cubes():
    check_fit(CUBES, (64, 64, 64), [(0.2, 0.2, 0.2), None])
    check_fit([{"RandomRotate90": {}}], (16, 64, 64), [(0.5, 0.1, 0.1)])
    with pytest.raises(UserError, match=r"patches are \(16, 64, 64\)"):
        check_fit(CUBES, (16, 64, 64), [None])
    with pytest.raises(UserError, match=r"voxels are 0\.5 x 0\.1 x 0\.1 micrometres"):
        check_fit(CUBES, (64, 64, 64), [None, (0.5, 0.1, 0.1)])
    with pytest.raises(UserError, match="CubicSymmetry changes volumes"):
        check_fit(CUBES, (64, 64), [None])
