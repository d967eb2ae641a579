"""Budget and rebuilt image guide a network, through a threshold that has no gradient of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kerasseg.compact.kernels import gaussian
from kerasseg.errors import UserError
from kerasseg.recipe.train import Adam, Bce, Guided, Supervised
from kerasseg.training import guided as guided_module

STEPS = 3
COMMON = {"threshold": 0.3, "activation": "sigmoid"}


def network(channels=1):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, channels))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    return keras.Model(image, layers.Conv2D(channels, 3, padding="same", activation="sigmoid")(x))


def engine(model, **arguments):
    given = {"kernel": gaussian().values, "points": 5, "steps": STEPS}
    losses = {"loss": Bce().build(), "optimizer": Adam(learning_rate=0.01).build()}
    return Guided(**arguments).build(model, **given, **losses, **COMMON)


def batch():
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((4, 16, 16, 1)), "float32")
    return images, tf.constant(rng.random((4, 16, 16, 1)) < 0.1, "uint8")


def gradient_norm(model):
    images, targets = batch()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(images, targets, model(images, training=True))
    return float(tf.linalg.global_norm(tape.gradient(loss, model.trainable_variables)))


def test_budget_and_shape_move_the_weights_only_straight_through(monkeypatch):
    terms = {"weight": 0, "budget_weight": 1, "shape_weight": 1, "warmup": 0}
    assert gradient_norm(engine(network(), **terms)) > 1e-3

    def step(probabilities, threshold, slope):
        return tf.cast(probabilities >= threshold, "float32") + 0 * probabilities

    monkeypatch.setattr(guided_module, "straight_through", step)
    assert gradient_norm(engine(network(), **terms)) == 0.0


def test_the_first_epochs_learn_the_loss_alone():
    images, targets = batch()
    losses = {"loss": Bce().build(), "optimizer": Adam(learning_rate=0.01).build()}
    plain, guided = network(), network()
    alone, led = Supervised().build(plain, **losses, landscape=False, **COMMON), engine(guided, warmup=1)

    def apart():
        pairs = zip(plain.get_weights(), guided.get_weights(), strict=True)
        return max(np.abs(one - other).max() for one, other in pairs)

    for _ in range(STEPS):
        alone.train_on_batch(images, targets)
        led.train_on_batch(images, targets)
    assert apart() < 1e-6
    alone.train_on_batch(images, targets)
    led.train_on_batch(images, targets)
    assert apart() > 1e-3


def test_validation_counts_all_terms_from_the_first_epoch_on():
    images, targets = batch()
    model = engine(network(), weight=2, budget_weight=3, shape_weight=5, warmup=9)
    said = model.evaluate(images, targets, verbose=0, return_dict=True)
    assert set(said) == {"loss", "dice", "points", "ssim"}
    chosen = np.asarray(model(images)) >= 0.3
    counts = chosen.sum(axis=(1, 2, 3))
    assert said["points"] == pytest.approx(counts.mean())
    entropy = float(np.mean(Bce().build()(targets, model(images))))
    expected = 2 * entropy + 3 * np.abs(counts - 5).mean() / 256 + 5 * (1 - said["ssim"])
    assert said["loss"] == pytest.approx(expected, rel=1e-5)


def test_what_is_no_grey_image_is_refused():
    with pytest.raises(UserError, match=r"data\.channels to 1"):
        engine(network(channels=2))
