import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.normalise import Dtype, Minmax, Percentile
from kerasseg.images.preprocessing import Preprocessing
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
