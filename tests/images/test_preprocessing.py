"""Images as a model sees them: channels, intensities in [0, 1], size."""

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.histogram_matching import Matching, counts
from kerasseg.images.normalisation import Dtype, Minmax, Percentile
from kerasseg.images.preprocessing import Preprocessing, resize, resize_mask, with_channels
from kerasseg.images.stores import store as stores
from kerasseg.images.stores.store import open_store


def test_eight_bits_stay_eight_bits():
    image = Preprocessing(3, Dtype(), None).image(np.full((4, 4, 1), 7, np.uint8))
    assert (image.shape, image.dtype, image[0, 0, 0]) == ((4, 4, 3), np.uint8, 7)


def test_what_is_resized_is_not_rounded():
    image = np.array([[[0], [1]], [[0], [0]]], np.uint8)
    resized = Preprocessing(1, Dtype(), (1, 1)).image(image)
    np.testing.assert_allclose(resized, 0.25 / 255)


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
def test_all_else_becomes_float(method):
    stored = np.arange(16, dtype=np.uint16).reshape(4, 4, 1) * 4369
    image = Preprocessing(None, method, None).image(stored)
    assert image.dtype == np.float32
    assert (image.min(), image.max()) == (0, 1)


def test_intensities_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"^float intensities"):
        Preprocessing(None, Dtype(), None).image(np.full((2, 2, 1), 3, np.float32))


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
@pytest.mark.parametrize(("stored", "wanted"), [(1, 3), (3, 1), (3, 3), (4, 3), (2, 1), (2, None)])
def test_a_region_is_the_whole_image_prepared_and_cut(tmp_path, method, stored, wanted):
    image = np.random.default_rng(0).integers(9, 60000, (40, 50, stored)).astype(np.uint16)
    if stored in (2, 4):
        image[..., -1] = 65535
    files.write(tmp_path / "a.tif", image)
    whole = Preprocessing(wanted, method, None).image(image)
    with open_store(tmp_path / "a.tif") as store:
        read = Preprocessing(wanted, method, None).regions(store)
        assert_array_equal(read((slice(7, 30), slice(20, 50))), whole[7:30, 20:50])


@pytest.mark.parametrize("method", [Dtype(), Percentile(5, 98)])
@pytest.mark.parametrize("reference", [np.uint8, np.uint16])
@pytest.mark.parametrize(("stored", "wanted"), [(1, 1), (1, 3), (3, 1), (4, 3)])
def test_a_region_is_the_whole_image_matched_and_cut(
    tmp_path, monkeypatch, method, reference, stored, wanted
):
    monkeypatch.setattr(stores, "BAND_BYTES", 700)
    image = np.random.default_rng(0).integers(9, 60000, (40, 50, stored)).astype(np.uint16)
    if stored == 4:
        image[..., -1] = 65535
    files.write(tmp_path / "a.tif", image)
    model = np.random.default_rng(1).normal(120, 20, (30, 30, wanted)).astype(reference)
    match = Matching.to(counts(lambda: [model]), reference)
    preprocessing = Preprocessing(wanted, method, None, match)
    whole = preprocessing.image(image)
    with open_store(tmp_path / "a.tif") as store:
        region = preprocessing.regions(store)((slice(7, 30), slice(20, 50)))
    if whole.dtype == np.uint8:
        whole = whole / np.float32(255)
    assert_allclose(region, whole[7:30, 20:50], atol=1e-7)
    if method == Dtype():
        assert whole.mean() * np.iinfo(reference).max == pytest.approx(model.mean(), abs=2)


def test_alpha_that_varies_elsewhere_is_not_dropped_from_a_region(tmp_path):
    image = np.full((40, 50, 4), 255, np.uint8)
    image[39, 49, 3] = 0
    files.write(tmp_path / "a.png", image)
    with open_store(tmp_path / "a.png") as store, pytest.raises(UserError, match="has 4 channels"):
        Preprocessing(3, Dtype(), None).regions(store)


def test_intensities_of_a_store_that_do_not_fit_name_the_file(tmp_path):
    files.write(tmp_path / "a.tif", np.full((4, 4), 7, np.float32))
    with (
        open_store(tmp_path / "a.tif") as store,
        pytest.raises(UserError, match=r"a\.tif: float intensities"),
    ):
        Preprocessing(1, Dtype(), None).regions(store)


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
@pytest.mark.parametrize(("stored", "wanted"), [(1, 3), (3, 1), (2, 2), (4, 3)])
def test_a_region_of_a_volume_is_the_whole_volume_prepared_and_cut(tmp_path, method, stored, wanted):
    volume = np.random.default_rng(0).integers(9, 60000, (5, 18, 20, stored)).astype(np.uint16)
    if stored == 4:
        volume[..., -1] = 65535
    tifffile.imwrite(tmp_path / "a.tif", volume, metadata={"axes": "ZYXC"}, photometric="minisblack")
    whole = Preprocessing(wanted, method, None).image(volume)
    assert whole.shape == (5, 18, 20, wanted)
    with open_store(tmp_path / "a.tif", "ZYXC") as store:
        read = Preprocessing(wanted, method, None).regions(store)
        assert_array_equal(read((slice(1, 4), slice(7, 18), slice(2, 20))), whole[1:4, 7:, 2:])


def test_a_volume_is_not_resized():
    with pytest.raises(UserError, match=r"^a volume of shape \(5, 4, 3, 2\).*data.resize to null"):
        Preprocessing(2, Dtype(), (2, 2)).image(np.zeros((5, 4, 3, 2), np.uint8))


COLOUR = np.array([[[10, 20, 30], [200, 100, 0]]], np.uint8)


def test_stored_channels_are_kept_when_none_are_asked():
    assert with_channels(COLOUR, None) is COLOUR


def test_grey_is_repeated():
    assert with_channels(np.array([[[7]]], np.uint16), 4).tolist() == [[[7, 7, 7, 7]]]


def test_constant_alpha_is_dropped():
    image = np.dstack([COLOUR, np.full((1, 2), 255, np.uint8)])
    assert np.array_equal(with_channels(image, 3), COLOUR)
    assert np.array_equal(with_channels(image, 4), image)


def test_colour_becomes_the_grey_that_pillow_makes():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    grey = with_channels(image, 1)
    assert grey.dtype == np.uint8
    assert np.abs(grey[..., 0].astype(int) - np.asarray(Image.fromarray(image).convert("L"))).max() <= 1


def test_an_alpha_that_says_something_is_not_dropped():
    image = np.dstack([COLOUR, np.array([[0, 255]], np.uint8)])
    with pytest.raises(UserError, match=r"has 4 channels, but data\.channels is 3; set"):
        with_channels(image, 3)


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


def test_rows_that_were_taken_for_channels_are_told_with_the_axes():
    with pytest.raises(
        UserError,
        match=r"axes YXC and has 320 channels, but data\.channels is 1; if they are not channels, name",
    ):
        with_channels(np.zeros((4, 240, 320), np.uint8), 1)
