"""How images come to the network's square, and its answers back, without the network."""

from types import SimpleNamespace

import numpy as np
import pytest

from kerasseg.images.normalisation import Dtype, Minmax
from kerasseg.labelling.segment_anything.kerashub import MEAN, SegmentAnything, rgb, scaled, squared


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
    network = SegmentAnything(SimpleNamespace(image_encoder=encoder))
    logits = np.full((8, 8), -1, np.float32)
    logits[:4] = 1  # the image is the upper half of the square
    enlarged = network.enlarge(logits, (10, 20))
    assert enlarged.shape == (10, 20)
    assert (enlarged > 0).all()
    assert network.enlarge(logits, (20, 20))[:10].min() > 0 > network.enlarge(logits, (20, 20))[10:].max()


def test_interpolation_is_pytorch_s():
    torch = pytest.importorskip("torch")
    encoder = SimpleNamespace(input=np.zeros((1, 64, 64, 3)))
    network = SegmentAnything(SimpleNamespace(image_encoder=encoder))
    logits = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    how = {"mode": "bilinear", "align_corners": False}
    for size in [(30, 50), (100, 70), (5, 9)]:
        judge = torch.nn.functional.interpolate(torch.as_tensor(logits)[None, None], (64, 64), **how)
        height, width = scaled(size, 64)
        judge = torch.nn.functional.interpolate(judge[..., :height, :width], size, **how)[0, 0].numpy()
        np.testing.assert_allclose(network.enlarge(logits, size), judge, atol=1e-5)
