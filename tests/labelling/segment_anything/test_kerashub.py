"""A small Segment Anything of random weights, made of KerasHub's own classes."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Dtype, Minmax
from kerasseg.labelling.segment_anything.automatic import automatic_masks
from kerasseg.labelling.segment_anything.kerashub import (
    MEAN,
    SegmentAnything,
    load_network,
    rgb,
    scaled,
    squared,
)
from kerasseg.recipe.labelling import SegmentAnything as Settings

SIDE, SIZE = 64, (40, 56)
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 1), np.uint8)
POINTS = np.array([[3.0, 4.0], [20.0, 30.0], [55.0, 39.0]])


@pytest.fixture(scope="module")
def segmenter():
    keras_hub = pytest.importorskip("keras_hub")
    layers, models = keras_hub.layers, keras_hub.models
    encoder = models.ViTDetBackbone(
        hidden_size=16,
        num_layers=2,
        intermediate_dim=32,
        num_heads=2,
        global_attention_layer_indices=[1],
        patch_size=16,
        num_output_channels=8,
        window_size=2,
        image_shape=(SIDE, SIDE, 3),
    )
    prompts = layers.SAMPromptEncoder(
        hidden_size=8, image_embedding_size=(4, 4), input_image_size=(SIDE, SIDE), mask_in_channels=16
    )
    decoder = layers.SAMMaskDecoder(
        num_layers=2,
        hidden_size=8,
        intermediate_dim=32,
        num_heads=2,
        embedding_dim=8,
        num_multimask_outputs=3,
        iou_head_depth=3,
        iou_head_hidden_dim=8,
    )
    backbone = models.SAMBackbone(image_encoder=encoder, prompt_encoder=prompts, mask_decoder=decoder)
    return models.SAMImageSegmenter(backbone=backbone)


@pytest.fixture(scope="module")
def ours(segmenter):
    return SegmentAnything(segmenter.backbone, Dtype())


def test_answers_are_those_of_the_segmenter(segmenter, ours):
    logits, predicted = ours.masks(ours.embed(IMAGE), POINTS)
    scale = np.array([64 / 56, 46 / 40])  # 40 * 64 / 56 = 45.7
    points = np.stack([POINTS * scale, np.zeros_like(POINTS)], axis=1).astype(np.float32)
    images = np.repeat(squared(rgb(IMAGE, Dtype()), SIDE)[None], 3, axis=0)
    labels = np.tile(np.array([[1, -1]], np.float32), (3, 1))
    judge = segmenter.predict({"images": images, "points": points, "labels": labels}, verbose=0)
    assert logits.shape == (3, 3, 16, 16)
    np.testing.assert_allclose(logits, judge["masks"][:, 1:], atol=1e-4)
    np.testing.assert_allclose(predicted, judge["iou_pred"][:, 1:], atol=1e-4)


def test_a_saved_preset_answers_alike(segmenter, ours, tmp_path):
    segmenter.save_to_preset(str(tmp_path))
    after = load_network(tmp_path, Dtype())
    (logits, _), (again, _) = (each.masks(each.embed(IMAGE), POINTS) for each in (ours, after))
    np.testing.assert_array_equal(logits, again)


def test_masks_of_random_weights_are_of_the_image(ours):
    lenient = {"pred_iou_thresh": 0, "stability_score_thresh": 0, "box_nms_thresh": 1}
    found = automatic_masks(IMAGE, ours, Settings(points_per_side=2, **lenient))
    assert 0 < len(found) <= 12
    assert {one.size for one in found} == {SIZE}
    assert all(one.mask.sum() == one.area > 0 for one in found)


def test_a_preset_that_is_not_there_is_told_with_those_that_are(segmenter):
    with pytest.raises(UserError, match=r"'sam_bse' cannot be loaded .* sam_base_sa1b"):
        load_network("sam_bse", Dtype())


def test_without_kerashub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(UserError, match=r"pip install 'kerasseg\[sam\]'"):
        load_network("sam_base_sa1b", Dtype())


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1000, 1500), (683, 1024)), ((128, 128), (1024, 1024)), ((3, 4000), (1, 1024)), ((1, 9000), (1, 1024))],
)
def test_the_longer_side_becomes_the_network_s(size, expected):
    assert scaled(size, 1024) == expected


def test_an_image_goes_on_in_the_mean_colour():
    square = squared(np.ones((2, 4, 3), np.float32), 8)
    assert square.shape == (8, 8, 3)
    assert (square[:4] == 1).all()
    assert (square[4:] == MEAN).all()


def test_grey_is_repeated_and_numbers_come_to_one():
    image = np.array([[[0], [255]]], np.uint8)
    assert rgb(image, Dtype()).tolist() == [[[0, 0, 0], [1, 1, 1]]]
    assert rgb(image.astype(np.uint16) * 2, Minmax()).tolist() == [[[0, 0, 0], [1, 1, 1]]]


def test_of_two_channels_blue_is_black_and_of_four_the_first_three_are_shown():
    assert rgb(np.full((1, 1, 2), 255, np.uint8), Dtype()).tolist() == [[[1, 1, 0]]]
    assert rgb(np.array([[[255, 0, 255, 9]]], np.uint8), Dtype()).tolist() == [[[1, 0, 1]]]


def test_an_answer_is_cut_to_the_image_and_scaled_back():
    encoder = SimpleNamespace(input=np.zeros((1, 32, 32, 3)))
    network = SegmentAnything(SimpleNamespace(image_encoder=encoder), Dtype())
    logits = np.full((8, 8), -1, np.float32)
    logits[:4] = 1  # the image is the upper half of the square
    enlarged = network.enlarge(logits, (10, 20))
    assert enlarged.shape == (10, 20)
    assert (enlarged > 0).all()
    assert network.enlarge(logits, (20, 20))[:10].min() > 0 > network.enlarge(logits, (20, 20))[10:].max()


def test_interpolation_is_pytorch_s():
    torch = pytest.importorskip("torch")
    encoder = SimpleNamespace(input=np.zeros((1, 64, 64, 3)))
    network = SegmentAnything(SimpleNamespace(image_encoder=encoder), Dtype())
    logits = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    how = {"mode": "bilinear", "align_corners": False}
    for size in [(30, 50), (100, 70), (5, 9)]:
        judge = torch.nn.functional.interpolate(torch.as_tensor(logits)[None, None], (64, 64), **how)
        height, width = scaled(size, 64)
        judge = torch.nn.functional.interpolate(judge[..., :height, :width], size, **how)[0, 0].numpy()
        np.testing.assert_allclose(network.enlarge(logits, size), judge, atol=1e-5)
