"""A recipe's networks in a recipe's engine, from two epochs of which a model comes."""

import keras
import numpy as np
import pytest

from kerasseg.commands import build, preparation
from kerasseg.recipe import load
from kerasseg.synthetic.cells import synthesize

RECIPE = """
name: engines
seed: 3
data:
  source: {{sartorius: {{root: {root}}}}}
  classes: [cell]
  channels: 1
  resize: [32, 32]
  split: {{train: 0.75, test: 0.25, validation: 0.34}}
model: {{unet: {{encoder: plain, levels: 2, base_filters: 2, attention: false}}}}
loss: dice
train: {{epochs: 1, batch_size: 2, steps_per_epoch: 2, engine: {engine}}}
"""
DISCRIMINATOR = "discriminator: {patchgan: {base_filters: 2, levels: 1}}"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    synthesize(folder, images=8, size=(32, 32), seed=1)
    return folder


@pytest.mark.parametrize(
    ("engine", "columns"),
    [
        ("{adversarial: {DISCRIMINATOR, weight: 3.0}}", {"dice", "val_dice"}),
        (
            "{cycle: {DISCRIMINATOR, discriminator_optimizer: {adam: {learning_rate: 5.0e-3}}, replay: 4}}",
            {"difference"},
        ),
    ],
)
def test_an_engine_trains_the_recipes_model(engine, columns, data, tmp_path):
    engine = engine.replace("DISCRIMINATOR", DISCRIMINATOR)
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(root=data, engine=engine))
    recipe = load(tmp_path / "recipe.yaml")
    keras.utils.set_random_seed(recipe.seed)
    model = recipe.model.build((None, None, 1), 1)
    before = [np.array(each) for each in model.get_weights()]
    history, _ = build.learn(recipe, model, preparation.parts(recipe), tmp_path, resume=False)
    (row,) = history.rows
    assert columns | {"loss", "val_loss", "generator_loss", "discriminator_loss"} <= set(row)
    assert any(not np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    assert (tmp_path / "samples" / "epoch-0001.png").exists() == ("cycle" in engine)
