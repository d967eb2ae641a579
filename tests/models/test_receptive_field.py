"""The radius is the one that a bright pixel is seen from, and tiles that keep it equal the whole image."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from components import MODELS
from keras import layers
from specs import tiling

from kerasseg.inference.backends import Backend
from kerasseg.inference.forward import forward
from kerasseg.inference.tiled import predict
from kerasseg.models.receptive_field import radius, stride
from kerasseg.recipe.models import Msdnet, TunableUnet

PLAIN = {"encoder": "plain", "base_filters": 1}


def build(*stack, shape=(None, None, 1)):
    image = x = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)


def conv(kernel, **how):
    return layers.Conv2D(1, kernel, padding="same", **how)


def spread(kernel):
    return layers.Conv2DTranspose(1, kernel, 2, padding="same")


def unet(**changes):
    return MODELS["unet"]((None, None, 1), 1, **PLAIN | {"decoder_filters": (1,) * 4} | changes)


def linknet(**changes):
    return MODELS["linknet"]((None, None, 1), 1, **PLAIN | {"base_filters": 4, "attention": False} | changes)


def tunable_unet():
    return MODELS["tunable_unet"]((None, None, 1), 1, **TunableUnet(levels=3, base_filters=1).arguments)


def msdnet(**changes):
    return MODELS["msdnet"]((None, None, 1), 1, **Msdnet(layers=3, **changes).arguments)


STACKS = {
    "one convolution": (lambda: build(conv(3)), 1),
    "an even kernel": (lambda: build(conv(4)), 2),
    "three dilated": (lambda: build(conv(3), conv(3, dilation_rate=2), conv((3, 3), dilation_rate=4)), 7),
    "pooled": (lambda: build(layers.MaxPooling2D(4), layers.UpSampling2D(4)), 3),
    "strided": (lambda: build(conv(3, strides=2), conv(5, strides=2), conv(3), layers.UpSampling2D(4)), 12),
    "pooled by overlapping windows": (
        lambda: build(layers.AveragePooling2D(3, 2, "same"), layers.UpSampling2D(2), conv(1)),
        2,
    ),
    "U-Net": (lambda: unet(attention=False), 108),
    "LinkNet": (linknet, 93),
    "transposed": (lambda: build(conv(3, strides=2), spread(4), conv(3, strides=2), spread(5)), 5),
    "U-Net with up-convolutions": (lambda: unet(attention=False, upsampling="transpose"), 108),
    "tunable U-Net": (tunable_unet, 26),
    "mixed-scale dense network": (msdnet, 6),
    "mixed-scale dense network of Keras' layers": (lambda: msdnet(fast=False), 6),
}


def measured(model, period):
    """Light one pixel of each phase, with weights of which none takes another's light away."""
    for weight in model.trainable_weights:
        weight.assign(np.ones(weight.shape) if "kernel" in weight.path else weight.numpy())
    size = -(-(2 * radius(model)[0] + period + 4) // period) * period
    lit = size // 2 // period * period + np.arange(period)
    images = np.zeros((period, size, size, 1), np.float32)
    images[np.arange(period), lit, lit] = 1
    changed = np.asarray(model(images) != model(images[:1] * 0)).any(-1)
    return max(np.abs(np.argwhere(each) - at).max() for each, at in zip(changed, lit, strict=True))


@pytest.mark.parametrize("name", STACKS)
def test_as_far_as_it_is_told_a_bright_pixel_is_seen_and_no_further(name):
    make, expected = STACKS[name]
    model = make()
    assert radius(model) == (expected, expected)
    assert measured(model, 16) == expected


def test_axes_may_differ():
    model = build(layers.Conv3D(1, (1, 3, 7), padding="same"), shape=(None, None, None, 1))
    assert radius(model) == (0, 1, 3)


def test_gates_are_followed_too_and_tiles_that_keep_the_radius_equal_the_whole():
    model = unet(base_filters=2, decoder_filters=(4, 2, 2, 2))
    (reach, _), answer = radius(model), forward(model)
    image = np.random.default_rng(0).random((400, 48, 1), np.float32)
    by_tile = tiling(tile=(2 * reach + 32) // 16 * 16, overlap=(reach, 0), blend="crop", batch_size=1)
    whole = predict(image, Backend(answer), replace(by_tile, tile=400, overlap=0), stride=16)
    tiled = predict(image, Backend(answer), by_tile, stride=16)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("unet", 519), ("linknet", 488)])
def test_efficientnet_lite_is_bounded_and_efficientnet_is_not(name, expected):
    lite = MODELS[name]((None, None, 3), 1, encoder="efficientnetlite0", encoder_weights=None)
    assert (radius(lite), stride(lite)) == ((expected, expected), (32, 32))
    assert radius(MODELS[name]((None, None, 3), 1, encoder_weights=None)) is None


@pytest.mark.parametrize(
    "layer",
    [
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.GroupNormalization(-1),
    ],
)
def test_what_sees_everything_or_is_unknown_has_none(layer):
    assert radius(build(conv(3), layer)) is None


STRIDES = {
    "linknet": ({"encoder_weights": None}, 2, 32),
    "unet": ({"encoder": "plain", "base_filters": 1, "levels": 4, "upsampling": "transpose"}, 3, 8),
    "vox2vox": ({"base_filters": 1, "residual_blocks": 1}, 3, 16),
    "resnet": ({"base_filters": 1, "residual_blocks": 1}, 3, 4),
    "tunable_unet": (TunableUnet(levels=3, base_filters=1).arguments, 3, 4),
    "msdnet": (Msdnet(layers=2).arguments, 3, 1),
    "pspu_skelnet": ({"base_filters": 1}, 2, 64),
    "classifier": ({"encoder": "plain", "base_filters": 1, "levels": 3}, 3, 4),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_knows_its_stride(name):
    how, rank, expected = STRIDES[name]
    assert stride(MODELS[name]((*[None] * rank, 2), 1, **how)) == (expected,) * rank


def test_strides_of_axes_may_differ_and_the_deepest_counts():
    pooled = layers.MaxPooling3D((1, 2, 4)), layers.MaxPooling3D((1, 2, 3)), layers.UpSampling3D((1, 4, 12))
    assert stride(build(*pooled, shape=(None, None, None, 1))) == (1, 4, 12)
    half = layers.UpSampling2D((2, 1)), layers.MaxPooling2D(2)
    assert stride(build(*half)) == (1, 2)


def test_a_u_net_for_volumes_sees_as_far_in_depth_as_in_the_plane():
    flat = unet(levels=3, decoder_filters=None, attention=False)
    deep = MODELS["unet"]((None, None, None, 1), 1, **PLAIN, levels=3, decoder_filters=None, attention=False)
    assert radius(deep) == (*radius(flat), radius(flat)[0])


@pytest.mark.parametrize("name", ["vox2vox", "resnet"])
def test_instance_normalisation_sees_the_whole_volume(name):
    how, rank, _ = STRIDES[name]
    assert radius(MODELS[name]((*[None] * rank, 2), 1, **how)) is None
