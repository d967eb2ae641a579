"""CycleGAN's losses against values worked by hand, its pool, its pictures and its end by collapse."""

import contests
import keras
import numpy as np
import pytest
import small
from components import LOSSES, OPTIMIZERS
from keras import layers

from kerasseg.data.batches import ValidationBatches
from kerasseg.errors import UserError
from kerasseg.images import files
from kerasseg.training import callbacks, history
from kerasseg.training.cycle import ImagePool, cycle

IMAGES = np.array([[[[0.2]], [[0.6]]]], np.float32)  # one image of 2 x 1 pixels
TARGETS = np.array([[[[0]], [[1]]]], np.uint8)


def scaled(factor: float) -> keras.Model:
    """Multiply every pixel by a factor that is learnt."""
    image = keras.Input((None, None, 1))
    once = keras.initializers.Constant(factor)
    return keras.Model(image, layers.Conv2D(1, 1, use_bias=False, kernel_initializer=once)(image))


def engine(rate: float = 0.1, discriminator_rate: float = 0.1, **changes) -> keras.Model:
    """Generators that multiply by 0.5 and 0.8, discriminators of masks and of images by 0.4 and 0.6."""
    optimizers = [OPTIMIZERS["sgd"](each) for each in (rate, discriminator_rate)]
    given = dict(zip(("optimizer", "discriminator_optimizer"), optimizers, strict=True))
    given |= {"loss": LOSSES["dice"](), "shape": (2, 1), "batch_size": 1, **contests.CYCLE}
    discriminators = iter([scaled(0.4), scaled(0.6)])
    return cycle(scaled(0.5), scaled(0.8), discriminator=lambda _: next(discriminators), **given | changes)


def factors(trained: keras.Model) -> list[float]:
    networks = (*trained.generators, *trained.discriminators)
    return [network.trainable_variables[0].numpy().item() for network in networks]


def test_both_sides_lose_what_the_equations_say():
    logs = engine(class_weights=[3.5]).train_on_batch(IMAGES, TARGETS, return_dict=True)
    made_masks, made_images = np.array([0.1, 0.3]), np.array([0.0, 0.8])
    returned_image, returned_mask = 2 * np.mean([0.12, 0.36]), 2 * np.mean([0.0, 0.6]) * 3.5
    same_image, same_mask = 2 * np.mean([0.04, 0.12]), 2 * np.mean([0.0, 0.5]) * 3.5
    feigned = np.mean((0.4 * made_masks - 1) ** 2) + np.mean((0.6 * made_images - 1) ** 2)
    assert logs["loss"] == pytest.approx(returned_image)
    expected = feigned + 10 * (returned_image + returned_mask) + 5 * (same_image + same_mask)
    assert logs["generator_loss"] == pytest.approx(expected)
    masks, images = np.array([0.0, 1.0]), np.array([0.2, 0.6])
    expected = np.mean((0.4 * masks - 1) ** 2) + np.mean((0.4 * made_masks) ** 2)
    expected += np.mean((0.6 * images - 1) ** 2) + np.mean((0.6 * made_images) ** 2)
    assert logs["discriminator_loss"] == pytest.approx(expected)


def test_the_parts_of_the_gradient_are_that_of_the_sum():
    trained = engine()
    trained.train_on_batch(IMAGES, TARGETS)
    before, step = np.array([0.5, 0.8, 0.4, 0.6]), 1e-5

    def losses(a: float, b: float, c: float, d: float) -> tuple[float, float]:
        x, y = IMAGES.ravel().astype(float), TARGETS.ravel().astype(float)
        feigned = np.mean((c * a * x - 1) ** 2) + np.mean((d * b * y - 1) ** 2)
        cycles = 2 * np.mean(abs(x - b * a * x)) + 2 * np.mean(abs(y - a * b * y))
        same = 2 * np.mean(abs(x - b * x)) + 2 * np.mean(abs(y - a * y))
        told = np.mean((c * y - 1) ** 2) + np.mean((c * 0.5 * x) ** 2)
        told += np.mean((d * x - 1) ** 2) + np.mean((d * 0.8 * y) ** 2)
        return feigned + 10 * cycles + 5 * same, told

    gradient = []
    for index in range(4):
        change = step * np.eye(4)[index]
        side = index // 2  # generators first
        gradient.append((losses(*(before + change))[side] - losses(*(before - change))[side]) / (2 * step))
    assert factors(trained) == pytest.approx(list(before - 0.1 * np.array(gradient)), rel=1e-4)


@pytest.mark.parametrize(("criterion", "expected"), [("cycle", 2 * (0.12 + 0.36) / 2), ("truth", None)])
def test_val_loss_is_the_criterion(criterion, expected):
    scores = engine(choose_by=criterion).evaluate(IMAGES, TARGETS, verbose=0, return_dict=True)
    made = np.array([[[[0.1]], [[0.3]]]], np.float32)
    expected = expected or float(LOSSES["dice"]()(TARGETS, made)[0])
    assert scores == pytest.approx({"loss": expected, "dice": 0.0})


def test_identities_need_equal_channels():
    networks = (contests.generator(2, 1), contests.generator(1, 2))
    given = {"loss": LOSSES["dice"](), "shape": small.SIZE, "batch_size": 2, **contests.CYCLE}
    given["discriminator"] = contests.discriminator
    given |= {name: OPTIMIZERS["sgd"](0.1) for name in ("optimizer", "discriminator_optimizer")}
    with pytest.raises(UserError, match="images have 2 channels and masks 1"):
        cycle(*networks, **given)
    images = np.zeros((2, *small.SIZE, 2), np.float32)
    trained = cycle(*networks, **given | {"identity_weight": 0.0})
    logs = trained.train_on_batch(images, images[..., :1].astype(np.uint8), return_dict=True)
    assert np.isfinite(logs["generator_loss"])


def test_an_unknown_criterion_is_told_with_its_neighbours():
    with pytest.raises(UserError, match="did you mean 'truth'"):
        engine(choose_by="thruth")


def test_a_pool_gives_what_came_or_what_it_kept_and_keeps_the_other():
    pool = ImagePool((1,), batch_size=2, size=5)
    given = []
    for start in range(0, 40, 2):
        before = set(pool.kept.numpy().ravel()) if start >= 4 else set()
        came = np.array([[start], [start + 1]], np.float32)
        gave = np.asarray(pool(came))
        for one, other in zip(came.ravel(), gave.ravel(), strict=True):
            assert other == one or (start >= 4 and other in before)
        if start < 4:  # it holds four, as a fifth would be half a batch
            np.testing.assert_array_equal(gave, came)
        else:
            assert before | set(came.ravel()) == set(pool.kept.numpy().ravel()) | set(gave.ravel())
        given.extend(gave.ravel() == came.ravel())
    assert 8 <= sum(given[4:]) <= 28  # of 36, about a half


def test_pictures_and_differences_of_every_epoch_are_kept(tmp_path):
    validation = ValidationBatches(small.samples(tmp_path / "data")[:3], **small.ARGUMENTS)
    watching = [callbacks.SampleImages(validation, tmp_path / "samples")]
    trained = contests.unpaired()
    result = small.go(trained, tmp_path, validation=validation, watching=watching, epochs=2)
    assert files.read(tmp_path / "samples" / "epoch-0002.png").shape == (3 * 34, 6 * 34, 3)
    assert not (tmp_path / "samples" / "epoch-0003.png").exists()
    images = np.concatenate([validation.batch(index)[0] for index in range(2)])
    made = np.asarray(trained(images, training=False))
    last = result.rows[-1]
    assert last["epoch"] == result.best["epoch"]
    assert last["difference"] == pytest.approx(callbacks.difference(made), rel=1e-5)


def test_answers_that_are_all_the_same_end_it(tmp_path):
    validation = ValidationBatches(small.samples(tmp_path / "data")[:3], **small.ARGUMENTS)

    class Collapse(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            logs["difference"] = 0.5 if epoch < 1 else 0.9 * history.ALIKE

    trained = contests.unpaired()
    result = small.go(trained, tmp_path, validation=validation, watching=[Collapse()], epochs=9)
    assert result.stopped == "mode collapse"
    assert len(result.rows) == 1 + history.FOR_GOOD
    again = small.go(contests.unpaired(), tmp_path, validation=validation, resume=True, epochs=9)
    assert again == result


def test_the_difference_is_the_mean_over_pairs():
    assert callbacks.difference(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.5]])) == pytest.approx(
        (0.5 + 0.75 + 0.25) / 3
    )
    assert np.isnan(callbacks.difference(np.zeros((1, 4))))


def test_pictures_are_grey_red_and_green_and_the_middle_of_volumes():
    np.testing.assert_array_equal(callbacks.picture(np.full((1, 1, 1), 0.2)), [[[51, 51, 51]]])
    np.testing.assert_array_equal(callbacks.picture(np.array([[[1.0, 0.2]]])), [[[255, 51, 0]]])
    np.testing.assert_array_equal(callbacks.picture(np.array([[[0.0, 0.2, 1.0, 0.6]]])), [[[0, 51, 255]]])
    volume = np.array([0.0, 1.0, 0.0]).reshape(3, 1, 1, 1)
    np.testing.assert_array_equal(callbacks.picture(volume), [[[255, 255, 255]]])
