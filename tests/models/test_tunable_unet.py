"""The tunable U-Net has the sizes that its paper prints, and takes images of odd sides."""

import math

import keras
import numpy as np
import pytest

from kerasseg.errors import UserError
from kerasseg.models import receptive_field
from kerasseg.models.tunable_unet import channels, tunable_unet
from kerasseg.recipe.models import TunableUnet


def build(shape, classes=4, **changes):
    return tunable_unet(shape, classes, **TunableUnet(**changes).arguments)


# By levels, base_filters and growth_rate: millions in the paper, dlsia's counts without and with batch norm.
PRINTED = {
    (4, 32, 2.0): (2.14, 2_140_164, 2_142_980),
    (4, 64, 2.0): (8.56, 8_556_548, 8_562_180),
    (4, 64, 1.5): (2.57, 2_567_716, 2_571_012),
    (5, 32, 2.0): (8.63, 8_630_020, 8_635_908),
    (5, 64, 2.0): (34.51, 34_512_388, 34_524_164),
}


@pytest.mark.parametrize("setting", PRINTED)
def test_it_has_the_paper_s_parameters_to_the_last_one(setting):
    keys = dict(zip(("levels", "base_filters", "growth_rate"), setting, strict=True))
    millions, *expected = PRINTED[setting]
    models = [build((None, None, 1), **keys, normalisation=kind) for kind in ("none", "batch")]
    trained = [sum(math.prod(weight.shape) for weight in model.trainable_weights) for model in models]
    assert trained == expected
    assert round(trained[0] / 1e6, 2) == millions


def test_fractions_are_cut_off_level_by_level():
    assert channels(32, 1.3, 4) == [32, 41, 53, 68]
    assert int(32 * 1.3**3) == 70
    assert channels(64, 1.5, 4) == [64, 96, 144, 216]


def test_a_level_without_channels_is_refused():
    with pytest.raises(UserError, match=r"growth_rate: at a rate of 0.4 the 3 levels would have \[4, 1, 0\]"):
        channels(4, 0.4, 3)


@pytest.mark.parametrize("shape", [(35, 51, 1), (36, 51, 2), (9, 12, 11, 1)])
def test_sides_may_be_odd(shape):
    model = build(shape, base_filters=2)
    probabilities = np.asarray(model(np.random.default_rng(0).random((1, *shape), np.float32)))
    assert probabilities.shape == (1, *shape[:-1], 4)


@pytest.mark.parametrize("side", [16, 17, 18, 19])
def test_what_goes_down_and_up_stays_where_it_is(side):
    """With kernels that pass on their middle, a bright pixel comes back where it was, or beside it."""
    model = build((side, side, 1), 1, levels=3, base_filters=1, growth_rate=1.0)
    for layer in model.layers:
        if layer.name.endswith("_conv"):
            kernel, bias = (np.zeros(weight.shape) for weight in layer.weights)
            kernel[kernel.shape[0] // 2, kernel.shape[1] // 2, -1] = 1  # of skip and deeper, the deeper
            layer.set_weights([kernel, bias])
        elif layer.name.endswith("_upsample"):
            layer.set_weights([np.ones(layer.kernel.shape), np.zeros(1)])
    image = np.zeros((1, side, side, 1), np.float32)
    image[0, 8, 8] = 1
    inner = keras.Model(model.input, model.get_layer("head_conv").output)
    lit = np.argwhere(np.asarray(inner(image))[0, :, :, 0] > 0)
    np.testing.assert_allclose(lit.mean(0), 8, atol=1.01)


def test_it_sees_as_far_as_its_pools_and_kernels_reach():
    model = build((None, None, 1), levels=2, base_filters=1)
    assert receptive_field.stride(model) == (2, 2)
    assert receptive_field.radius(model) == (10, 10)
