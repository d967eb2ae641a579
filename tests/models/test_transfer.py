"""A model takes from another as many weights as fit, and says in what they differ."""

import numpy as np
import pytest
from components import MODELS

from kerasseg.errors import UserError
from kerasseg.models.transfer import encoder_layers, take_weights

PLAIN = {"encoder": "plain", "levels": 2, "base_filters": 2}


def network(name="unet", *, channels=1, classes=1, **arguments):
    given = PLAIN if name in ("unet", "linknet", "classifier") else {}
    taken = {**given, **arguments}
    return MODELS[name]((None, None, channels), classes, **taken)


def numbered(model):
    """Give every weight numbers of its own."""
    for place, weight in enumerate(model.weights):
        weight.assign(np.arange(np.prod(weight.shape)).reshape(weight.shape) + 100 * place)
    return model


def same(model, base):
    """Name the layers whose weights are those of another model's layers of these names."""
    names = sorted(
        {layer.name for layer in model.layers if layer.weights} & {each.name for each in base.layers}
    )
    alike = [
        all(map(np.array_equal, model.get_layer(name).get_weights(), base.get_layer(name).get_weights()))
        for name in names
    ]
    return {name for name, equal in zip(names, alike, strict=True) if equal}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("unet", {}),
        ("resnet", {"base_filters": 2, "residual_blocks": 1}),
        ("vox2vox", {"base_filters": 2, "levels": 2, "residual_blocks": 1}),
        ("msdnet", {"layers": 3}),
        ("tunable_unet", {"levels": 2, "base_filters": 2}),
    ],
)
def test_every_architecture_takes_all_of_its_like(name, arguments):
    model, base = network(name, **arguments), numbered(network(name, **arguments))
    assert take_weights(model, base, head=True) == "all weights"
    for ours, theirs in zip(model.get_weights(), base.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_all_but_the_head_where_classes_are_others():
    model, base = network(classes=3), numbered(network(classes=1))
    assert take_weights(model, base, head=True) == "all weights but the head's"
    layers = {layer.name for layer in model.layers if layer.weights}
    assert layers - same(model, base) == {"head_conv"}


def test_all_but_the_head_where_answers_mean_something_else():
    model, base = network(), numbered(network())
    assert take_weights(model, base, head=False) == "all weights but the head's"


@pytest.mark.parametrize("other", ["linknet", "classifier"])
def test_of_another_architecture_the_encoder(other):
    model, base = network(), numbered(network(other))
    assert take_weights(model, base, head=True) == "the encoder's weights"
    encoder = {layer.name for layer in encoder_layers(model)}
    assert {name.split("_")[0] for name in encoder} == {"encoder0a", "encoder0b", "encoder1a", "encoder1b"}
    assert encoder <= same(model, base)


def test_nothing_of_other_sizes_and_it_is_said_why():
    model, base = network(base_filters=4), network()
    before = model.get_weights()
    with pytest.raises(UserError) as caught:
        take_weights(model, base, head=True)
    first = "encoder0a_conv is Conv2D with weights of 3x3x1x4 here and Conv2D with weights of 3x3x1x2 there"
    assert str(caught.value).startswith(f"11 of 16 layers differ: {first}; ")
    assert str(caught.value).count(" here and ") == 2
    for ours, untouched in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, untouched)


def test_nothing_of_layers_that_look_elsewhere():
    """Dilations change no shape."""
    model, base = network("msdnet", layers=3, max_dilation=3), network("msdnet", layers=3, max_dilation=2)
    with pytest.raises(UserError, match="mixed_scale_dense"):
        take_weights(model, base, head=True)


def test_grey_images_given_in_three_channels_are_answered_alike():
    model, base = network(channels=3), network(channels=1)
    assert take_weights(model, base, head=True) == "all weights"
    image = np.random.default_rng(0).random((1, 4, 4, 1), np.float32)
    np.testing.assert_allclose(model(np.repeat(image, 3, axis=-1)), base(image), atol=1e-5)
