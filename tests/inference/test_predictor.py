"""From stored pixels to probabilities at the image's own size."""

import numpy as np
import pytest
import tifffile

from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.images.normalisation import Dtype, Percentile
from kerasseg.images.stores.store import open_store
from kerasseg.inference.predictor import Predictor


def echo(batch):
    """Answer with the image itself."""
    return batch[..., :1].copy()


def predictor(**changes):
    arguments = {"channels": 1, "normalise": Dtype(), "resize": None, "tiles": {"tile": 64, "overlap": 4}}
    return Predictor(echo, **arguments | changes)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_model_sees_the_type_s_range_as_zero_to_one(dtype):
    image = np.array([[0, np.iinfo(dtype).max]], dtype).reshape(1, 2, 1)
    np.testing.assert_allclose(predictor()(image, "a.png")[..., 0], [[0, 1]], atol=1e-6)


def test_what_was_resized_comes_back_at_its_own_size():
    image = np.full((50, 70, 3), 51, np.uint8)
    answer = predictor(channels=3, resize=(32, 64))
    assert answer.as_seen(image, "a.png").shape == (32, 64, 1)
    np.testing.assert_allclose(answer(image, "a.png"), np.full((50, 70, 1), 0.2), atol=1e-6)


def test_a_message_names_the_file():
    with pytest.raises(UserError, match=r"odd\.tif"):
        predictor(channels=3)(np.zeros((4, 4, 5), np.uint8), "odd.tif")


def test_bands_of_a_file_are_the_whole_image(tmp_path):
    image = np.random.default_rng(0).integers(0, 1000, (150, 90, 1), np.uint16)
    files.write(tmp_path / "a.tif", image)
    answer = predictor(normalise=Percentile(5, 98))
    whole = answer(image, "a.tif")
    with open_store(tmp_path / "a.tif") as store:
        bands = [(rows, band.copy()) for rows, band in answer.bands(store)]
        np.testing.assert_allclose(np.concatenate([band for _, band in bands]), whole, atol=1e-6)
        rest = [band.copy() for _, band in answer.bands(store, done=bands[1][0].start)]
        np.testing.assert_array_equal(np.concatenate(rest), np.concatenate([band for _, band in bands[1:]]))


@pytest.mark.parametrize(
    ("shape", "model", "wanted"),
    [
        ((5, 6), {"tiles": {"multiple_of": (8, 8, 8)}}, "takes a volume"),
        ((3, 5, 6), {"tiles": {"multiple_of": (8, 8)}}, "takes a 2-D image"),
        ((3, 5, 6), {"resize": (32, 32)}, "takes a 2-D image"),
    ],
)
def test_images_and_volumes_are_not_taken_for_each_other(tmp_path, shape, model, wanted):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), metadata={"axes": "ZYX"[-len(shape) :]})
    with (
        open_store(tmp_path / "a.tif") as store,
        pytest.raises(UserError, match=rf"a\.tif.*{wanted}.*--axes"),
    ):
        predictor(**model).bands(store)
