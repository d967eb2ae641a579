"""A recipe's networks in a recipe's engine, from two epochs of which a model comes."""

import keras
import numpy as np
import pytest
from keras import layers

from kerasseg import learning, models, preparation
from kerasseg.data.synthetic import synthesize
from kerasseg.recipe import load

RECIPE = """
name: engines
seed: 3
data:
  source: {{sartorius: {{root: {root}}}}}
  classes: [cell]
  channels: 1
  resize: [32, 32]
  split: {{train: 0.75, test: 0.25, validation: 0.34}}
model: {{unet: {{encoder: plain}}}}
loss: dice
train: {{epochs: 1, batch_size: 2, steps_per_epoch: 2, engine: {engine}}}
"""


def tiny(input_shape, classes, *, activation, name="tiny", **rest):
    """Learn in place of a U-Net, which takes half a minute to trace four times."""
    image = keras.Input(input_shape)
    answer = layers.Conv2D(classes, 3, padding="same", activation=activation)(image)
    return keras.Model(image, answer, name=name)


def judge(input_shapes, *, base_filters=4, **rest):
    given = [keras.Input(shape) for shape in input_shapes]
    x = layers.Concatenate()(given) if len(given) > 1 else given[0]
    x = layers.Conv2D(base_filters, 4, strides=2, padding="same", activation="relu")(x)
    return keras.Model(given if len(given) > 1 else given[0], layers.Conv2D(1, 4, padding="same")(x))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learning")
    synthesize(folder, images=8, size=(32, 32), seed=1)
    return folder


@pytest.mark.parametrize(
    ("engine", "columns"),
    [
        ("{adversarial: {discriminator: {patchgan: {base_filters: 2}}, weight: 3.0}}", {"dice", "val_dice"}),
        ("{cycle: {optimizer: {adam: {learning_rate: 5.0e-3}}, replay: 4}}", {"difference", "val_dice"}),
    ],
)
def test_an_engine_trains_the_recipes_model(engine, columns, data, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "DISCRIMINATORS", {"patchgan": judge}, raising=False)
    monkeypatch.setitem(models.MODELS, "unet", tiny)
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(root=data, engine=engine))
    recipe = load(tmp_path / "recipe.yaml")
    keras.utils.set_random_seed(recipe.seed)
    model = models.MODELS["unet"]((None, None, 1), 1, **recipe.model.arguments)
    before = [np.array(each) for each in model.get_weights()]
    history = learning.learn(recipe, model, preparation.parts(recipe), tmp_path, resume=False)
    (row,) = history.rows
    assert columns | {"loss", "val_loss", "generator_loss", "discriminator_loss"} <= set(row)
    assert any(not np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    assert (tmp_path / "samples" / "epoch-0001.png").exists() == ("cycle" in engine)
