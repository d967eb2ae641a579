"""How a recipe's model learns: the networks beside it, the engine, and the training."""

from __future__ import annotations

from pathlib import Path

import keras

from kerasseg.commands import preparation
from kerasseg.data.split import Split
from kerasseg.data.stream import Stream
from kerasseg.models import receptive_field
from kerasseg.recipe import Recipe
from kerasseg.training.history import History
from kerasseg.training.loop import Pace, train
from kerasseg.training.samples import Samples


def learn(recipe: Recipe, model: keras.Model, parts: Split, folder: Path, resume: bool) -> History:
    """Train the model on the split's parts, and leave it with the weights of its best epoch."""
    unpaired = recipe.train.engine.name == "cycle"
    batches = preparation.unpaired if unpaired else preparation.streams
    training, validation = batches(recipe, parts, model.input_shape[-1], receptive_field.stride(model))
    with model.distribute_strategy.scope():
        engine = build(recipe, model, training)
    watching = [Samples(validation, folder / "samples")] if unpaired else []
    arguments = {"directory": folder, "seed": recipe.seed, "resume": resume, "watching": watching}
    history = train(engine, training, validation, pace(recipe), **arguments)
    if not history.rows:
        raise KeyboardInterrupt  # before there was anything to go on with
    return history


def build(recipe: Recipe, model: keras.Model, training: Stream) -> keras.Model:
    """Put the model, and the networks that it learns with, into the recipe's engine."""
    engine = recipe.train.engine
    common = {
        "loss": recipe.loss.build(),
        "optimizer": recipe.train.optimizer.build(),
        "threshold": recipe.evaluate.threshold,
        "activation": recipe.model.activation,
    }
    if engine.name == "supervised":
        return engine.build(model, **common)
    common["discriminator"] = engine.discriminator.build
    common["discriminator_optimizer"] = engine.discriminator_optimizer.build()
    if engine.name == "adversarial":
        return engine.build(model, **common)
    batches = {"shape": training.shape, "batch_size": training.batch_size}
    return engine.build(model, back(recipe, model), **batches, **common)


def back(recipe: Recipe, model: keras.Model) -> keras.Model:
    """Build the model's counterpart, from masks to images: the same architecture, its channels exchanged."""
    shape = (*model.input_shape[1:-1], model.output_shape[-1])
    sigmoid = {"activation": "sigmoid"} if "activation" in recipe.model.arguments else {}
    return recipe.model.build(shape, model.input_shape[-1], **sigmoid, name="back")


def pace(recipe: Recipe) -> Pace:
    """How long the recipe's training goes on, and how fast."""
    settings = recipe.train
    return Pace(
        epochs=settings.epochs,
        steps_per_epoch=settings.steps_per_epoch,
        early_stopping=settings.early_stopping and dict(settings.early_stopping),
        schedule=settings.schedule and settings.schedule.build,
    )
