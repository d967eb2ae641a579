import numpy as np
import pytest
from PIL import Image

from kerasseg.errors import UserError
from kerasseg.images.channels import with_channels

COLOUR = np.array([[[10, 20, 30], [200, 100, 0]]], np.uint8)


def test_stored_channels_are_kept_when_none_are_asked():
    assert with_channels(COLOUR, None, "a.png") is COLOUR


def test_grey_is_repeated():
    assert with_channels(np.array([[[7]]], np.uint16), 4, "a.png").tolist() == [[[7, 7, 7, 7]]]


def test_constant_alpha_is_dropped():
    image = np.dstack([COLOUR, np.full((1, 2), 255, np.uint8)])
    assert np.array_equal(with_channels(image, 3, "a.png"), COLOUR)
    assert np.array_equal(with_channels(image, 4, "a.png"), image)


def test_colour_becomes_the_grey_that_pillow_makes():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    grey = with_channels(image, 1, "a.png")
    assert grey.dtype == np.uint8
    assert np.abs(grey[..., 0].astype(int) - np.asarray(Image.fromarray(image).convert("L"))).max() <= 1


def test_an_alpha_that_says_something_is_not_dropped():
    image = np.dstack([COLOUR, np.array([[0, 255]], np.uint8)])
    with pytest.raises(UserError, match=r"a\.png: .*has 4 channels, but data\.channels is 3; set"):
        with_channels(image, 3, "a.png")


def test_rows_that_were_taken_for_channels_are_told_with_the_axes():
    with pytest.raises(
        UserError,
        match=r"axes YXC and has 320 channels, but data\.channels is 1; if they are not channels, name",
    ):
        with_channels(np.zeros((4, 240, 320), np.uint8), 1, "a.tif")
