"""Losses against values worked by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from components import LOSSES

from kerasseg.compact.kernels import KERNELS, gaussian, spread
from kerasseg.errors import UserError
from kerasseg.metrics import similarity
from kerasseg.training.losses import (
    IGNORE,
    SIMILARITIES,
    absolute_loss,
    budget_loss,
    cross_entropy_loss,
    dice_loss,
    least_squares_loss,
    rebuilt,
    straight_through,
    tversky_loss,
    with_landscape,
)

# Two images of 1 x 2 pixels, one class.
TARGET = np.array([[[[1], [0]]], [[[0], [0]]]], np.uint8)
GUESS = np.array([[[[0.8], [0.4]]], [[[0.5], [0.0]]]], np.float32)


def test_weighted_cross_entropy_is_the_mean_over_an_images_pixels():
    first = -(0.7 * np.log(0.8) + 0.3 * np.log(0.6)) / 2
    second = -(0.3 * np.log(0.5) + 0.3 * np.log(1.0)) / 2
    np.testing.assert_allclose(cross_entropy_loss(TARGET, GUESS, beta=0.7), [first, second], rtol=1e-5)


def test_dice_sums_over_an_image_and_its_smoothing_is_one():
    first = 1 - (2 * 0.8 + 1) / (1 + 1.2 + 1)
    second = 1 - 1 / (0.5 + 1)
    np.testing.assert_allclose(dice_loss(TARGET, GUESS, smooth=1.0), [first, second], rtol=1e-6)


def test_dice_is_the_mean_over_classes():
    both = np.stack([TARGET[..., 0], 1 - TARGET[..., 0]], axis=-1)
    guess = np.concatenate([GUESS, GUESS], axis=-1)
    one_by_one = [dice_loss(both[..., k : k + 1], guess[..., k : k + 1], 1.0) for k in range(2)]
    np.testing.assert_allclose(dice_loss(both, guess, 1.0), np.mean(one_by_one, axis=0), rtol=1e-6)


def test_combo_is_the_mixture_that_it_says():
    expected = 0.25 * cross_entropy_loss(TARGET, GUESS, 0.6) + 0.75 * dice_loss(TARGET, GUESS, 2.0)
    np.testing.assert_allclose(LOSSES["combo"](alpha=0.25, beta=0.6, smooth=2.0)(TARGET, GUESS), expected)


def test_bce_is_that_of_keras():
    expected = keras.losses.binary_crossentropy(TARGET.astype("float32"), GUESS)
    np.testing.assert_allclose(LOSSES["bce"]()(TARGET, GUESS), np.mean(expected, axis=(1, 2)), rtol=1e-5)


def test_focal_is_that_of_keras():
    judge = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, alpha=0.25, gamma=2.0, reduction=None
    )
    expected = np.mean(judge(TARGET.astype("float32"), GUESS), axis=(1, 2))
    np.testing.assert_allclose(LOSSES["focal"]()(TARGET, GUESS), expected, rtol=1e-5, atol=1e-7)


def test_tversky_charges_each_mistake_its_own_price():
    false_positive, false_negative = 0.4, 0.2
    expected = 1 - (0.8 + 1) / (0.8 + 0.3 * false_positive + 0.7 * false_negative + 1)
    np.testing.assert_allclose(tversky_loss(TARGET, GUESS, 0.3, 0.7, 1.0)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_answer_costs_nothing(name):
    np.testing.assert_allclose(LOSSES[name]()(TARGET, TARGET.astype("float32")), 0.0, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_change_nothing(name):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, (2, 4, 4, 3)).astype("uint8")
    guess = rng.random((2, 4, 4, 3), "float32")
    target[:, :2] = IGNORE
    changed = guess.copy()
    changed[:, :2] = 1.0 - guess[:, :2]
    loss = LOSSES[name]()
    np.testing.assert_array_equal(loss(target, guess), loss(target, changed))
    np.testing.assert_allclose(loss(target, guess), loss(target[:, 2:], guess[:, 2:]), rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_an_image_without_a_pixel_that_counts_costs_nothing(name):
    np.testing.assert_allclose(LOSSES[name]()(np.full_like(TARGET, IGNORE), GUESS), 0.0, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_certainty_keeps_value_and_gradient_finite(name, wrong):
    guess = tf.fill(TARGET.shape, tf.constant(wrong, "float32"))
    with tf.GradientTape() as tape:
        tape.watch(guess)
        loss = LOSSES[name]()(TARGET, guess)
    assert np.all(np.isfinite(loss))
    assert np.all(np.isfinite(tape.gradient(loss, guess)))


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_summed_in_float32(name):
    target, guess = (
        np.ones((1, 300, 300, 1), np.uint8),
        tf.fill((1, 300, 300, 1), tf.constant(0.5, "float16")),
    )
    loss = LOSSES[name]()(target, guess)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, LOSSES[name]()(target, tf.cast(guess, "float32")))


@pytest.mark.parametrize("name", LOSSES)
def test_volumes_are_summed_like_images(name):
    volume, guess = TARGET[:, None], GUESS[:, None]
    np.testing.assert_allclose(LOSSES[name]()(volume, guess), LOSSES[name]()(TARGET, GUESS), rtol=1e-6)


def test_class_weights_multiply_each_class_before_the_mean():
    both, guess = np.concatenate([TARGET, 1 - TARGET], axis=-1), np.concatenate([GUESS, GUESS], axis=-1)
    for loss in LOSSES.values():
        first, second = (loss()(both[..., k : k + 1], guess[..., k : k + 1]) for k in range(2))
        weighted = loss(class_weights=[1.0, 6.0])(both, guess)
        np.testing.assert_allclose(weighted, (first + 6.0 * second) / 2, rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_one_are_none(name):
    both, guess = np.concatenate([TARGET, 1 - TARGET], axis=-1), np.concatenate([GUESS, GUESS], axis=-1)
    loss = LOSSES[name]
    np.testing.assert_array_equal(loss(class_weights=(1.0, 1.0))(both, guess), loss()(both, guess))


def test_a_wrong_number_of_class_weights_is_refused():
    with pytest.raises(UserError, match="3 numbers and there are 1 channels"):
        LOSSES["dice"](class_weights=[1, 6, 1])(TARGET, GUESS)


def test_least_squares_are_means_over_an_images_patches():
    scores = np.array([[[[0.5], [1.0]]], [[[-1.0], [3.0]]]], np.float32)
    np.testing.assert_allclose(least_squares_loss(scores, 1.0), [(0.25 + 0) / 2, (4 + 4) / 2])
    np.testing.assert_allclose(least_squares_loss(scores, 0.0), [(0.25 + 1) / 2, (1 + 9) / 2])


def test_absolute_differences_count_twice_as_in_minus_one_to_one():
    image, back = np.array([[[[0.2, 0.4]]]], np.float32), np.array([[[[0.5, 0.2]]]], np.float32)
    as_in_the_paper = np.mean(np.abs((2 * image - 1) - (2 * back - 1)))
    np.testing.assert_allclose(absolute_loss(image, back), [as_in_the_paper], rtol=1e-6)
    np.testing.assert_allclose(absolute_loss(image, back, [1.0, 3.5]), [0.3 + 3.5 * 0.2], rtol=1e-6)


def test_absolute_differences_leave_out_ignored_pixels():
    np.testing.assert_allclose(absolute_loss(TARGET[:1], GUESS[:1]), [2 * (0.2 + 0.4) / 2], rtol=1e-6)
    target = np.array([[[[1], [IGNORE]]]], np.uint8)
    np.testing.assert_allclose(absolute_loss(target, GUESS[:1]), [2 * 0.2], rtol=1e-6)


def test_the_threshold_lets_a_sigmoid_s_gradient_through():
    guess = tf.constant([0.1, 0.3, 0.9])
    with tf.GradientTape() as tape:
        tape.watch(guess)
        points = straight_through(guess, threshold=0.3, slope=10.0)
    np.testing.assert_array_equal(points, [0, 1, 1])
    soft = 1 / (1 + np.exp(-10.0 * (guess.numpy() - 0.3)))
    np.testing.assert_allclose(tape.gradient(points, guess), 10 * soft * (1 - soft), rtol=1e-4)


def test_points_are_rebuilt_as_elsewhere_and_end_at_one():
    points = np.random.default_rng(0).random((2, 9, 12, 1)) < 0.2
    for kernel in (KERNELS["mean"](size=3, norm="sum"), gaussian(sigma=1.0)):
        expected = [np.minimum(spread(each[..., 0].astype(float), kernel), 1) for each in points]
        images = rebuilt(points.astype("float32"), kernel.values)
        np.testing.assert_allclose(images[..., 0], expected, atol=1e-6)


def test_a_budget_is_a_number_of_points_or_a_share():
    points = np.zeros((2, 4, 5, 1), "float32")
    points[1, :2] = 1
    np.testing.assert_allclose(budget_loss(points, 4), [4 / 20, 6 / 20])
    np.testing.assert_allclose(budget_loss(points, 0.25), [0.25, 0.25])


@pytest.mark.parametrize(("name", "judge"), [("global", "ssim_global"), ("windowed", "ssim_11")])
def test_similarities_are_those_of_the_measures(name, judge):
    images, others = np.random.default_rng(0).random((2, 3, 16, 20, 1)).astype("float32")
    expected = [similarity.MEASURES[judge](a[..., 0], b[..., 0]) for a, b in zip(images, others, strict=True)]
    np.testing.assert_allclose(SIMILARITIES[name](images, others), expected, atol=1e-5)


@pytest.mark.parametrize("name", SIMILARITIES)
def test_flat_images_have_a_finite_gradient(name):
    image = tf.fill((1, 12, 12, 1), 0.7)
    with tf.GradientTape() as tape:
        tape.watch(image)
        likeness = SIMILARITIES[name](image, tf.zeros_like(image))
    assert np.isfinite(likeness).all()
    assert np.isfinite(tape.gradient(likeness, image)).all()


def test_a_landscape_costs_its_cross_entropy_beside_the_loss_of_the_classes():
    target = np.array([[[[1, 254], [0, 127], [255, 255]]]], np.uint8)
    said = np.array([[[[0.9, 0.8], [0.2, 0.5], [0.7, 0.7]]]], np.float32)
    classes = LOSSES["bce"](class_weights=None)
    both = with_landscape(classes)(target, said)
    of_classes = classes(target[..., :1], said[..., :1])
    np.testing.assert_allclose(both - of_classes, [-(np.log(0.8) + np.log(0.5)) / 2], rtol=1e-5)
