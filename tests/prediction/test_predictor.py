"""From stored pixels to probabilities at the image's own size."""

import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.prediction.predictor import Predictor


def echo(batch):
    """Answer with the image itself."""
    return batch[..., :1].copy()


def predictor(**changes):
    arguments = {
        "channels": 1,
        "normalise": "dtype",
        "resize": None,
        "tile": 64,
        "overlap": 4,
        "blend": "hann",
    }
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
