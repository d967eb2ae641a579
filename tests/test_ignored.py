"""What is ignored (255) teaches nothing and is not judged, to the last bit.

Images differ in ignored pixels only, and so do what annotators drew and what a model answers there.
"""

from dataclasses import asdict

import keras
import numpy as np
import pytest
from components import LOSSES
from keras import layers
from specs import segmenter

from kerasseg.commands.evaluation import evaluate
from kerasseg.data.augment import augmentation
from kerasseg.data.batches import TrainingBatches
from kerasseg.data.sample import Annotation, Sample
from kerasseg.data.survey import survey, total
from kerasseg.images.masks import IGNORE, one_hot
from kerasseg.images.normalisation import Dtype
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.recipe.train import Adam
from kerasseg.spec import Objects
from kerasseg.training.supervised import supervised

SIZE = (24, 32)
PREPROCESSING = Preprocessing(1, Dtype(), None)
RING = np.zeros(SIZE, np.uint8)
RING[3:12, 3:12], RING[6:9, 6:9] = 1, IGNORE  # an object whose middle is ignored
RING[14:20, 18:26], RING[:, 28:] = 2, IGNORE


class Stored(Sample):
    """A sample whose image is in memory."""

    def read(self, region=None):
        return self.image if region is None else self.image[region]


def differing(mask):
    """Two images that are the same where the mask counts, and differ by a lot elsewhere."""
    rng = np.random.default_rng(0)
    image, noise = rng.integers(0, 256, (2, *mask.shape, 1), np.uint8)
    return image, np.where((mask == IGNORE)[..., None], noise, image)


def samples(mask):
    """The same two, annotated alike, but for the objects that were drawn in ignored places."""
    first, second = differing(mask)
    labels = np.where(mask == IGNORE, 7, mask).astype(np.int32)
    others = np.where(mask == IGNORE, 9, labels)
    names = {"first": (first, labels), "second": (second, others)}
    return [
        Stored(name, image, SIZE, lambda drawn=drawn: Annotation(mask, drawn))
        for name, (image, drawn) in names.items()
    ]


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_training_step_is_the_same(loss, activation):
    """The network sees one pixel at a time, so that ignored pixels could act by their targets alone."""
    ids = range(activation != "softmax", 3)
    weights, told = [], []
    for image in differing(RING):
        keras.utils.set_random_seed(1)
        pixels = keras.Input((*SIZE, 1))
        x = layers.Conv2D(4, 1, activation="relu")(pixels)
        model = keras.Model(pixels, layers.Conv2D(len(ids), 1, activation=activation)(x))
        class_weights = [1.0, 3.0, 2.0][: len(ids)]
        engine = supervised(
            model,
            loss=LOSSES[loss](class_weights=class_weights),
            optimizer=Adam(learning_rate=0.1).build(),
            threshold=0.5,
            activation=activation,
            landscape=False,
        )
        told.append(engine.train_on_batch(image[None] / np.float32(255), one_hot(RING[None], ids)))
        weights.append(model.get_weights())
    assert told[0] == told[1]
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_patches_are_cut_at_the_same_places():
    streams = [
        TrainingBatches(
            [sample],
            class_ids=range(1, 3),
            preprocessing=PREPROCESSING,
            patch={"size": 8, "foreground": 0.5},
            batch_size=8,
            multiple_of=8,
            augment=[],
            seed=5,
        )
        for sample in samples(RING)
    ]
    for number in range(3):
        (first, targets), (second, others) = (stream.batch(number) for stream in streams)
        np.testing.assert_array_equal(targets, others)
        counted = (targets != IGNORE).any(axis=-1)
        np.testing.assert_array_equal(first[counted], second[counted])


def test_no_patch_is_cut_where_all_is_ignored():
    mask = np.full((32, 32), IGNORE, np.uint8)
    mask[4, 4] = 1
    crop = {"CropNonEmptyMaskIfExists": {"height": 8, "width": 8, "p": 1}}
    enlarge = {"Resize": {"height": 32, "width": 32, "p": 1}}
    augment = augmentation([crop, enlarge])
    image = np.zeros((32, 32, 1), np.uint8)
    assert all((augment(image, mask, seed)[1] == 1).any() for seed in range(20))


def test_the_data_hold_the_same():
    first, second = (total(survey([sample], 2, PREPROCESSING)) for sample in samples(RING))
    assert first.lines(["ring", "block"]) == second.lines(["ring", "block"])


@pytest.mark.parametrize("method", ["components", "watershed"])
@pytest.mark.parametrize("multilabel", [False, True])
def test_scores_are_the_same(tmp_path, method, multilabel):
    """`fill` gives the ring its ignored middle, which could make it surer than what is wrong, or less."""
    answers = segmenter(np.copy, multilabel=multilabel, objects=Objects(method, {"fill": True}))
    mask = np.where(RING == 2, 0, RING)
    image = np.where(mask == 1, 150, 0).astype(np.uint8)
    image[14:20, 2:8] = 153  # is no ring
    axis = (..., np.newaxis) if multilabel else ...
    scores = []
    for anything in (0, 255):
        labels = np.where(mask == IGNORE, anything, mask).astype(np.int32)
        drawn = Annotation(mask[axis], labels[axis])
        seen = np.where(mask == IGNORE, anything, image).astype(np.uint8)[..., None]
        judged = [Stored("same", seen, SIZE, lambda drawn=drawn: drawn)]
        evaluation = asdict(evaluate(judged, answers, folder=tmp_path, score_objects=True))
        scores.append({name: value for name, value in evaluation.items() if not name.startswith("seconds")})
    np.testing.assert_equal(*scores)


@pytest.mark.parametrize(("loss", "arguments"), [*((name, {}) for name in LOSSES), ("dice", {"smooth": 0.0})])
def test_an_image_that_is_ignored_whole_costs_nothing(loss, arguments):
    targets = np.full((1, 4, 4, 2), IGNORE, np.uint8)
    guess = np.random.default_rng(0).random((1, 4, 4, 2), "float32")
    assert np.asarray(LOSSES[loss](**arguments)(targets, guess)).tolist() == [0.0]
