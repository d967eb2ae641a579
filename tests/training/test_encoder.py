"""A frozen encoder keeps its bits, a slowed one learns less, and what is not asked for changes nothing."""

from functools import partial

import keras
import numpy as np
import pytest
import small
from components import DISCRIMINATORS, LOSSES, MODELS, OPTIMIZERS
from keras import layers

from kerasseg.errors import UserError
from kerasseg.models.transfer import encoder_layers
from kerasseg.runs.rundirectory import CHECKPOINTS
from kerasseg.training import checkpoint
from kerasseg.training.adversarial import adversarial
from kerasseg.training.encoder import EncoderRate
from kerasseg.training.keras_speedups import FusedBatchNormalization


def network() -> keras.Model:
    """An encoder that has seen something, and a decoder."""
    keras.utils.set_random_seed(1)
    model = MODELS["unet"]((None, None, 1), 1, encoder="plain", levels=2, base_filters=2, attention=False)
    for layer in encoder_layers(model):
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(layer.moving_mean - 0.5)
    return model


def weights(model: keras.Model) -> dict[str, np.ndarray]:
    return {f"{layer.name}/{w.name}": w.numpy() for layer in model.layers for w in layer.weights}


def trained(folder, *, optimizer="adam", epochs=2, resume=False, **rate) -> dict[str, np.ndarray]:
    model = network()
    engine = small.engine(model, OPTIMIZERS[optimizer](learning_rate=0.02))
    watching = [EncoderRate(engine, model, **rate)] if rate else []
    small.go(engine, folder, epochs=epochs, watching=watching, resume=resume)
    checkpoint.load_last(folder / CHECKPOINTS, engine)  # and not the best
    return weights(model)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_frozen_encoder_keeps_its_bits_while_the_rest_learns(tmp_path, optimizer):
    before = weights(network())
    after = trained(tmp_path, optimizer=optimizer, frozen_epochs=2, rate=0.1)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert not [name for name in changed if name.startswith("encoder")]
    learnt = {name for name in before if name.startswith(("decoder", "head"))}
    assert {name for name in learnt if "kernel" in name or "moving" in name} <= changed


def test_a_slowed_encoder_learns_after_it_was_frozen(tmp_path):
    frozen = trained(tmp_path / "frozen", epochs=1, frozen_epochs=1, rate=0.1)
    after = trained(tmp_path / "after", epochs=2, frozen_epochs=1, rate=0.1)
    for name in frozen:
        assert not np.array_equal(frozen[name], after[name]), name


def test_a_share_of_one_is_as_if_nothing_had_been_asked(tmp_path):
    plain = trained(tmp_path / "plain")
    whole = trained(tmp_path / "whole", frozen_epochs=0, rate=1.0)
    for name, expected in plain.items():
        np.testing.assert_array_equal(whole[name], expected, err_msg=name)


def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path):
    rate = {"frozen_epochs": 2, "rate": 0.3}
    expected = trained(tmp_path / "whole", epochs=4, **rate)
    for epochs, resume in ((1, False), (3, True), (4, True)):
        resumed = trained(tmp_path / "parts", epochs=epochs, resume=resume, **rate)
    for name in expected:
        np.testing.assert_array_equal(resumed[name], expected[name], err_msg=name)


@pytest.mark.parametrize(("name", "arguments"), [("sgd", {}), ("adamw", {"weight_decay": 0.5})])
def test_the_update_is_that_share_of_it_weight_decay_included(name, arguments):
    """Along one gradient Adam's first step is the rate, whatever the gradient."""
    rate, share, gradient = 0.1, 0.25, 1.0
    slow, fast = keras.Variable([2.0]), keras.Variable([2.0])
    optimizer = OPTIMIZERS[name](learning_rate=rate, **arguments)
    optimizer.build([slow, fast])
    optimizer.slow_down([slow], keras.Variable(share))
    optimizer.apply([keras.ops.array([gradient])] * 2, [slow, fast])
    decay = arguments.get("weight_decay", 0)
    np.testing.assert_allclose(fast, [2 - rate * (1 + 2 * decay)], rtol=1e-5)
    np.testing.assert_allclose(slow, [2 - rate * share * (1 + 2 * decay)], rtol=1e-5)


def test_a_network_without_encoder_is_refused():
    model = MODELS["msdnet"]((None, None, 1), 1, layers=2)
    with pytest.raises(UserError, match="has no encoder"):
        EncoderRate(small.engine(model), model, frozen_epochs=1, rate=0.1)


@pytest.mark.parametrize("engine", ["supervised", "adversarial"])
def test_batch_normalisation_of_the_encoder_is_found_in_every_engine(engine):
    model = network()
    common = {"loss": LOSSES["dice"](), "optimizer": OPTIMIZERS["adam"](), "threshold": 0.5}
    if engine == "adversarial":
        common |= {"discriminator": partial(DISCRIMINATORS["patchgan"], base_filters=2, levels=1)}
        common |= {"discriminator_optimizer": OPTIMIZERS["adam"](), "weight": 1.0}
        built = adversarial(model, activation="sigmoid", **common)
        (trained,) = built.generators
    else:
        built = trained = small.engine(model)
    EncoderRate(built, model, frozen_epochs=1, rate=0.1)
    fused = [layer for layer in trained.layers if isinstance(layer, FusedBatchNormalization)]
    frozen = {layer.name for layer in fused if layer.is_frozen is not None}
    assert frozen == {layer.name for layer in fused if layer.name.startswith("encoder")} != set()
