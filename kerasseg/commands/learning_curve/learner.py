"""One model that is trained from scratch again and again, from other samples each time.

To build a network and to trace its graphs takes longer than to train it on a few tiles. Here that is done
once: before each training everything that a training changes is brought back to its beginning.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from kerasseg.commands import base, build, preparation
from kerasseg.console import track
from kerasseg.data.sample import Sample
from kerasseg.data.split import Split
from kerasseg.errors import UserError
from kerasseg.inference.backends import Backend
from kerasseg.inference.forward import compiled
from kerasseg.metrics import pixel
from kerasseg.metrics.pixel import Counts
from kerasseg.models import receptive_field
from kerasseg.recipe import Recipe
from kerasseg.segmenter import Segmenter
from kerasseg.training.loop import train

FEW = 10  # samples that are too few for any to be kept from learning
VALIDATED = 5  # every fifth of more samples is for validation


class Learner:
    """The recipe's model, which forgets everything that it learnt before it learns anew.

    It is built under the scope of its devices. All trainings begin with the same weights, those of the
    recipe's seed.

    Parameters
    ----------
    recipe : Recipe
        Says the model, its training and what it sees; its source and split are not looked at.
    channels : int
        Channels of the images.
    folder : Path
        Gets temporary files.
    """

    def __init__(self, recipe: Recipe, channels: int, folder: Path) -> None:
        keras.utils.set_random_seed(recipe.seed)
        self.recipe = recipe
        self.folder = folder
        self.model = build.network(recipe, channels)
        base.begin(recipe, self.model)
        # Only translators, of which no learning curve is drawn, must know their batches beforehand.
        self.engine = build.training_engine(recipe, self.model, None)
        self.watching = build.encoder_rate(recipe, self.engine, self.model)
        self.beginning = folder / f"beginning-{recipe.seed}.weights.h5"
        self.engine.save_weights(self.beginning)
        # One graph for whatever the weights are; what `run` answers with has them folded in.
        self.segmenter = Segmenter(build.model_spec(recipe, self.model), Backend(compiled(self.model)))

    def learn(self, samples: Sequence[Sample]) -> None:
        """Learn from these samples alone, and keep the weights of the best epoch; from none learn nothing."""
        self.engine.load_weights(self.beginning)  # batch statistics and the optimiser's state too
        if not samples:
            return
        stride, channels = receptive_field.stride(self.model), self.model.input_shape[-1]
        parts = shared(samples)
        match = preparation.matching(self.recipe, parts.train)
        self.segmenter = replace(self.segmenter, spec=replace(self.segmenter.spec, match=match))
        training, validation = preparation.streams(self.recipe, parts, channels, stride, match)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            settings = build.training_settings(self.recipe)
            options = {"directory": Path(folder), "seed": self.recipe.seed, "watching": self.watching}
            history = train(self.engine, training, validation, settings, **options)
        if history.stopped == "interrupted":
            raise KeyboardInterrupt

    def predict(self, sample: Sample) -> np.ndarray:
        """Predict a sample's mask: (Y, X) uint8 of class ids."""
        return self.segmenter.spec.decide(self.segmenter.predict(sample.read(), str(sample.image)))

    def count(self, samples: Sequence[Sample]) -> Counts:
        """Count the pixels of all samples, foreground against background: arrays of shape (1,)."""
        counts = [
            pixel.count_foreground(sample.annotate().mask, self.predict(sample))
            for sample in track(samples, "testing")
        ]
        return Counts(*map(sum, zip(*counts, strict=True)))


def shared(samples: Sequence[Sample]) -> Split:
    """Keep every fifth sample to choose the best epoch by; of fewer than ten, all are for both.

    Parameters
    ----------
    samples : sequence of Sample
        In the order in which they were selected.

    Returns
    -------
    Split
        Without a test.
    """
    if len(samples) < FEW:
        return Split(list(samples), list(samples), [])
    validation = list(samples[VALIDATED - 1 :: VALIDATED])
    training = [sample for i, sample in enumerate(samples) if i % VALIDATED != VALIDATED - 1]
    return Split(training, validation, [])


def check_comparable(recipe: Recipe) -> None:
    """Refuse recipes by which more samples would also mean more training.

    Raises
    ------
    UserError
        With everything that stands in the way.
    """
    settings = recipe.train
    mistakes = []
    if settings.engine.name != "supervised":
        mistakes.append(
            f"train.engine is {settings.engine.name}; a learning curve is of supervised training: set that"
        )
    if settings.steps_per_epoch is None:
        mistakes.append(
            "train.steps_per_epoch is null, one pass over the samples, so models with more tiles would be "
            "trained for longer too; set a number, such as 50"
        )
    if settings.early_stopping is not None:
        mistakes.append(
            "train.early_stopping is set, by which some models would be trained for longer; set it to null"
        )
    if mistakes:
        raise UserError(*mistakes)
