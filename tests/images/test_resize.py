import numpy as np
import pytest

from kerasseg.images.resize import resize, resize_mask


def test_shrinking_averages_areas():
    image = np.array([[0, 4, 8, 8], [0, 4, 8, 8]], np.uint8)[..., None]
    assert resize(image, (1, 2))[..., 0].tolist() == [[2, 8]]


def test_growing_is_linear_between_pixel_centres():
    image = np.array([[0, 4]], np.float32)[..., None]
    assert resize(image, (1, 4))[..., 0].tolist() == [[0, 1, 3, 4]]


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(7, 5), (30, 40), (7, 40)])
def test_any_number_of_channels_each_as_alone(channels, dtype, size):
    image = (np.random.default_rng(0).random((20, 24, channels)) * 200).astype(dtype)
    resized = resize(image, size)
    assert resized.shape == (*size, channels)
    assert resized.dtype == dtype
    alone = resize(image[..., -1:], size)[..., 0].astype(float)
    assert np.allclose(resized[..., -1], alone, atol=1 if dtype != np.float32 else 1e-3)


def test_masks_take_the_nearest_centre_and_keep_their_type():
    labels = np.array([[1, 2, 70_000, 4, 5]], np.int32)
    assert resize_mask(labels, (1, 3)).tolist() == [[1, 70_000, 5]]
    assert resize_mask(labels, (2, 10)).tolist() == [[1, 1, 2, 2, 70_000, 70_000, 4, 4, 5, 5]] * 2
    assert resize_mask(labels, (1, 3)).dtype == np.int32


def test_the_same_size_is_the_same_image():
    image = np.zeros((3, 4, 1), np.uint8)
    assert resize(image, (3, 4)) is image
