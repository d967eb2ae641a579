"""A generator and its judge, against values worked by hand."""

import keras
import numpy as np
import pytest
from components import LOSSES, OPTIMIZERS
from contests import DECISION
from keras import layers

from kerasseg.training.adversarial import adversarial

IMAGES = np.array([[[[0.2]], [[0.6]]]], np.float32)  # one image of 2 x 1 pixels
TARGETS = np.array([[[[0]], [[1]]]], np.uint8)


def scaled(factor: float, inputs: int = 1) -> keras.Model:
    """Multiply the last input, pixel by pixel, by a factor that is learnt."""
    given = [keras.Input((None, None, 1)) for _ in range(inputs)]
    once = keras.initializers.Constant(factor)
    times = layers.Conv2D(1, 1, use_bias=False, kernel_initializer=once)
    return keras.Model(given if inputs > 1 else given[0], times(given[-1]))


def engine(rate: float = 1.0, discriminator_rate: float = 1.0, weight: float = 5.0) -> keras.Model:
    sgd = OPTIMIZERS["sgd"]
    return adversarial(
        scaled(0.5),
        discriminator=lambda _: scaled(0.8, inputs=2),
        loss=lambda y, p: keras.ops.mean(keras.ops.abs(keras.ops.cast(y, "float32") - p), axis=(1, 2, 3)),
        optimizer=sgd(rate),
        discriminator_optimizer=sgd(discriminator_rate),
        weight=weight,
        **DECISION,
    )


def factors(trained: keras.Model) -> list[float]:
    networks = (*trained.generators, *trained.discriminators)
    return [network.trainable_variables[0].numpy().item() for network in networks]


def test_both_sides_lose_what_the_equations_say():
    made, judged, truth = np.array([0.1, 0.3]), np.array([0.08, 0.24]), np.array([0.0, 0.8])
    logs = engine().train_on_batch(IMAGES, TARGETS, return_dict=True)
    loss = (0.1 + 0.7) / 2
    assert logs["loss"] == pytest.approx(loss)
    assert logs["generator_loss"] == pytest.approx(np.mean((judged - 1) ** 2) + 5 * loss)
    assert logs["discriminator_loss"] == pytest.approx(np.mean((truth - 1) ** 2) + np.mean(judged**2))
    assert np.allclose(0.8 * made, judged)


def test_both_sides_step_along_their_own_gradients_from_the_same_state():
    trained = engine(rate=0.1, discriminator_rate=0.1)
    trained.train_on_batch(IMAGES, TARGETS)
    x, y, made, judged = np.array([0.2, 0.6]), np.array([0, 1]), np.array([0.1, 0.3]), np.array([0.08, 0.24])
    generator = np.mean(2 * (judged - 1) * 0.8 * x) + 5 * np.mean(np.sign(made - y) * x)
    discriminator = np.mean(2 * (0.8 * y - 1) * y) + np.mean(2 * judged * made)
    assert factors(trained) == pytest.approx([0.5 - 0.1 * generator, 0.8 - 0.1 * discriminator])


def test_what_the_generator_says_of_ignored_pixels_teaches_nobody():
    ignored = np.where(np.arange(2).reshape(1, 2, 1, 1) == 1, 255, TARGETS).astype(np.uint8)
    steps = []
    for there in (0.6, 0.9):
        images = IMAGES.copy()
        images[0, 1] = there
        trained = adversarial(
            scaled(0.5),
            discriminator=lambda _: scaled(0.8, inputs=2),
            weight=5.0,
            **DECISION,
            loss=LOSSES["bce"](),
            optimizer=OPTIMIZERS["sgd"](0.1),
            discriminator_optimizer=OPTIMIZERS["sgd"](0.1),
        )
        trained.train_on_batch(images, ignored)
        steps.append(factors(trained))
    assert steps[0] == steps[1] != [0.5, 0.8]


def test_validation_is_the_loss_alone():
    scores = engine().evaluate(IMAGES, TARGETS, verbose=0, return_dict=True)
    assert scores == pytest.approx({"loss": 0.4, "dice": 0.0})
