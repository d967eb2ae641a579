import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.normalise import Dtype, Minmax, Percentile
from kerasseg.images.prepare import by_region, prepare
from kerasseg.images.stores.store import open_store


def test_eight_bits_stay_eight_bits():
    image = prepare(np.full((4, 4, 1), 7, np.uint8), channels=3, method=Dtype(), size=None, name="a.png")
    assert (image.shape, image.dtype, image[0, 0, 0]) == ((4, 4, 3), np.uint8, 7)


def test_what_is_resized_is_not_rounded():
    image = np.array([[[0], [1]], [[0], [0]]], np.uint8)
    resized = prepare(image, channels=1, method=Dtype(), size=(1, 1), name="a.png")
    np.testing.assert_allclose(resized, 0.25 / 255)


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
def test_all_else_becomes_float(method):
    stored = np.arange(16, dtype=np.uint16).reshape(4, 4, 1) * 4369
    image = prepare(stored, channels=None, method=method, size=None, name="a.tif")
    assert image.dtype == np.float32
    assert (image.min(), image.max()) == (0, 1)


def test_a_message_names_the_file():
    with pytest.raises(UserError, match=r"a\.tif: float intensities"):
        prepare(np.full((2, 2, 1), 3, np.float32), channels=None, method=Dtype(), size=None, name="a.tif")


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
@pytest.mark.parametrize(("stored", "wanted"), [(1, 3), (3, 1), (3, 3), (4, 3), (2, 1), (2, None)])
def test_a_region_is_the_whole_image_prepared_and_cut(tmp_path, method, stored, wanted):
    image = np.random.default_rng(0).integers(9, 60000, (40, 50, stored)).astype(np.uint16)
    if stored in (2, 4):
        image[..., -1] = 65535
    files.write(tmp_path / "a.tif", image)
    whole = prepare(image, channels=wanted, method=method, size=None, name="a")
    with open_store(tmp_path / "a.tif") as store:
        read = by_region(store, channels=wanted, method=method)
        assert_array_equal(read((slice(7, 30), slice(20, 50))), whole[7:30, 20:50])


def test_alpha_that_varies_elsewhere_is_not_dropped_from_a_region(tmp_path):
    image = np.full((40, 50, 4), 255, np.uint8)
    image[39, 49, 3] = 0
    files.write(tmp_path / "a.png", image)
    with open_store(tmp_path / "a.png") as store, pytest.raises(UserError, match="has 4 channels"):
        by_region(store, channels=3, method=Dtype())


def test_intensities_of_a_store_that_do_not_fit_name_the_file(tmp_path):
    files.write(tmp_path / "a.tif", np.full((4, 4), 7, np.float32))
    with (
        open_store(tmp_path / "a.tif") as store,
        pytest.raises(UserError, match=r"a\.tif: float intensities"),
    ):
        by_region(store, channels=1, method=Dtype())


@pytest.mark.parametrize("method", [Dtype(), Minmax(), Percentile(5, 98)])
@pytest.mark.parametrize(("stored", "wanted"), [(1, 3), (3, 1), (2, 2), (4, 3)])
def test_a_region_of_a_volume_is_the_whole_volume_prepared_and_cut(tmp_path, method, stored, wanted):
    volume = np.random.default_rng(0).integers(9, 60000, (5, 18, 20, stored)).astype(np.uint16)
    if stored == 4:
        volume[..., -1] = 65535
    tifffile.imwrite(tmp_path / "a.tif", volume, metadata={"axes": "ZYXC"}, photometric="minisblack")
    whole = prepare(volume, channels=wanted, method=method, size=None, name="a")
    assert whole.shape == (5, 18, 20, wanted)
    with open_store(tmp_path / "a.tif", "ZYXC") as store:
        read = by_region(store, channels=wanted, method=method)
        assert_array_equal(read((slice(1, 4), slice(7, 18), slice(2, 20))), whole[1:4, 7:, 2:])


def test_a_volume_is_not_resized():
    with pytest.raises(UserError, match=r"a\.tif: a volume of shape \(5, 4, 3, 2\).*data.resize to null"):
        prepare(np.zeros((5, 4, 3, 2), np.uint8), channels=2, method=Dtype(), size=(2, 2), name="a.tif")
