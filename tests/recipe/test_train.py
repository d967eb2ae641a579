"""What a recipe may say of engines and of what each class counts."""

import pytest

from kerasseg.errors import UserError
from kerasseg.recipe import load

RECIPE = """
name: engines
data:
  source: {{labelme: {{root: data}}}}
  classes: [nuclei, golgi]
model: {{unet: {{encoder: plain, activation: {activation}}}}}
loss: {loss}
train: {{engine: {engine}}}
"""


def loaded(folder, *, loss="dice", engine="supervised", activation="sigmoid"):
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(loss=loss, engine=engine, activation=activation))
    return load(path)


def test_an_engine_is_a_name_or_a_name_with_numbers_and_networks(tmp_path):
    assert loaded(tmp_path).train.engine.name == "supervised"
    networks = "discriminator: {patchgan: {levels: 2}}, discriminator_optimizer: sgd"
    told = f"{{cycle: {{{networks}, class_weights: [1, 3.5]}}}}"
    engine = loaded(tmp_path, engine=told).train.engine
    assert engine.discriminator.arguments["levels"] == 2
    assert engine.discriminator_optimizer.name == "sgd"
    assert engine.class_weights == (1, 3.5)
    assert engine.cycle_weight == 10.0
    again = loaded(tmp_path, engine="{adversarial: {weight: 10}}")
    assert load(_written(tmp_path, again)) == again


def _written(folder, recipe):
    path = folder / "again.yaml"
    path.write_text(recipe.to_yaml())
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "cyle"}, "did you mean 'cycle'"),
        ({"engine": "{cycle: {choose_by: luck}}"}, "choose_by"),
        (
            {"engine": "{cycle: {class_weights: [1]}}"},
            "class_weights has 1 numbers for 2 classes; expected 2",
        ),
        ({"loss": "{dice: {class_weights: [1, 6, 1]}}"}, "class_weights has 3 numbers"),
        ({"loss": "{dice: {class_weights: [1, 6]}}", "activation": "softmax"}, "expected 3.*background"),
        ({"loss": "{dice: {class_weights: [1, -6]}}"}, "class_weights"),
    ],
)
def test_mistakes_are_told(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        loaded(tmp_path, **changes)


def test_weights_count_the_background_where_classes_exclude_each_other(tmp_path):
    recipe = loaded(tmp_path, loss="{dice: {class_weights: [0, 1, 6]}}", activation="softmax")
    assert recipe.loss.class_weights == (0, 1, 6)
