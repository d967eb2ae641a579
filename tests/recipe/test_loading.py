from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseg.errors import UserError
from kerasseg.recipe import Recipe, load, load_any, shipped

SMALL = {
    "name": "small",
    "data": {"source": {"labelme": {"root": "drawn"}}, "classes": ["cell"]},
    "model": "unet",
}
NAMES = st.from_regex(r"[0-9.eE+-]{1,6}", fullmatch=True) | st.text(min_size=1).filter(
    lambda name: name.isprintable() and name == name.strip()
)


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "r.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def mistakes(path, overrides=()) -> list[str]:
    with pytest.raises(UserError) as caught:
        load(path, overrides)
    return [message.replace(str(path), "r.yaml") for message in caught.value.messages]


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_loads_dumps_and_loads_equal(name, write):
    recipe = load_any(name)
    assert recipe.name == name
    for alone in [recipe] if isinstance(recipe, Recipe) else map(recipe.recipe, recipe.stages):
        assert load(write(alone.to_yaml())) == alone


@settings(deadline=None, max_examples=50)
@given(
    alpha=st.floats(0, 1),
    rate=st.floats(1e-12, 10),
    resize=st.none() | st.tuples(st.integers(1, 9999), st.integers(1, 9999)).map(list),
    classes=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_a_recipe_says_survives_yaml(tmp_path_factory, alpha, rate, resize, classes, seed):
    value = {
        **SMALL,
        "seed": seed,
        "data": {**SMALL["data"], "classes": classes, "resize": resize},
        "loss": {"combo": {"alpha": alpha}},
        "train": {"optimizer": {"adam": {"learning_rate": rate}}},
    }
    recipe = Recipe.model_validate(value)
    path = tmp_path_factory.mktemp("recipe") / "r.yaml"
    path.write_text(recipe.to_yaml(), encoding="utf-8")
    assert load(path) == recipe


def test_a_bare_name_means_the_defaults_of_its_component(write):
    recipe = load(write(yaml.safe_dump(SMALL)))
    assert recipe.model.name == "unet"
    assert recipe.model.arguments["encoder"] == "efficientnetb0"
    assert recipe.loss.arguments == {"alpha": 0.5, "beta": 0.5, "smooth": 1.0, "class_weights": None}


def test_all_mistakes_are_told_at_once_with_line_key_and_nearest_name(write):
    path = write(
        "name: small\n"
        "data:\n"
        "  sorce: {labelme: {root: drawn}}\n"
        "  classes: [cell, cell]\n"
        "  resize: [256]\n"
        "model: {linknet: {encodr: plain, encoder: efficientnetb9}}\n"
        "loss: {dise: {}}\n"
        "train: {epochs: '50', batch_size: 0, optimizer: {adam: {learning_rate: fast}}}\n"
        "name: other\n"
    )
    assert sorted(mistakes(path, ["train.epohs=5", "predict.overlap=-1", "oops"])) == sorted(
        [
            "r.yaml:9: name: given twice, first on line 1; keep one",
            "override 'oops': write it as key.path=value, such as train.epochs=5",
            "r.yaml:3: data.source: is missing; this key has no default",
            "r.yaml:3: data.sorce: unknown key; did you mean 'source'?",
            "r.yaml:4: data.classes: must name each class once, got ['cell', 'cell']",
            "r.yaml:5: data.resize: must be [height, width], got [256]",
            "r.yaml:6: model.linknet.encodr: unknown key; did you mean 'encoder'?",
            "r.yaml:6: model.linknet.encoder: must be 'plain', 'efficientnetb0', 'efficientnetb1', "
            "'efficientnetb2', 'efficientnetb3', 'efficientnetb4', 'efficientnetb5', 'efficientnetb6', "
            "'efficientnetb7', 'efficientnetlite0', 'efficientnetlite1' or 'efficientnetlite2', "
            "got 'efficientnetb9'; did you mean 'efficientnetb7'?",
            "r.yaml:7: loss: unknown loss 'dise': choose one of bce, combo, dice, focal, tversky; "
            "did you mean 'dice'?",
            "r.yaml:8: train.epochs: must be a whole number, got '50'",
            "r.yaml:8: train.batch_size: must be greater than or equal to 1, got 0",
            "r.yaml:8: train.optimizer.adam.learning_rate: must be a number, got 'fast'",
            "override: train.epohs: unknown key; did you mean 'epochs'?",
            "override: predict.overlap: must be 0 or a number of pixels, or auto; got -1",
        ]
    )


def test_an_encoder_s_weights_are_a_name_or_a_file_that_its_ending_tells(write):
    small = "name: small\ndata: {source: {labelme: {root: drawn}}, classes: [cell]}\n"
    recipe = load(write(small + "model: {unet: {encoder_weights: weights/b0.h5}}"))
    assert recipe.model.encoder_weights == Path("weights/b0.h5")
    assert load(write(recipe.to_yaml())) == recipe
    assert mistakes(write(small + "model: {unet: {encoder_weights: imagenett}}")) == [
        "r.yaml:3: model.unet.encoder_weights: must be one of imagenet, noisy-student, or a file whose name "
        "ends in .h5, or null; got 'imagenett'"
    ]


AUGMENTED = (
    "name: small\n"
    "data:\n"
    "  source: {labelme: {root: drawn}}\n"
    "  classes: [cell]\n"
    "  augment:\n"
    "    - OneOf:\n"
    "        p: 0.5\n"
    "        transforms:\n"
    "          - VerticalFlip\n"
    "          - HorizontalFlip: {%s}\n"
    "          - %s:\n"
    "    - %s\n"
    "model: un%s\n"
)


def test_transforms_may_hold_transforms(write):
    recipe = load(write(AUGMENTED % ("p: 1", "NoOp", "Transpose", "et")))
    inner = [{"VerticalFlip": {}}, {"HorizontalFlip": {"p": 1}}, {"NoOp": {}}]
    assert recipe.data.augment == [{"OneOf": {"p": 0.5, "transforms": inner}}, {"Transpose": {}}]
    assert load(write(recipe.to_yaml())) == recipe


def test_mistakes_in_transforms_are_told_with_all_others(write):
    path = write(AUGMENTED % ("q: 1", "NoOpp", "5", "t"))
    told = mistakes(path, ["data.augment=[Transpos]"])
    assert len(told) == 2
    assert told[0].startswith("override: data.augment.0: unknown transform 'Transpos': choose one of ")
    starts = [
        "r.yaml:10: data.augment.0.OneOf.transforms.1: unknown argument of HorizontalFlip 'q'",
        "r.yaml:11: data.augment.0.OneOf.transforms.2: unknown transform 'NoOpp': choose one of NoOp",
        "r.yaml:12: data.augment.1: must be one name and its arguments, such as ",
        "r.yaml:13: model: unknown model 'unt'",
    ]
    for message, start in zip(mistakes(path), starts, strict=True):
        assert message.startswith(start)
        assert len(message) < 250


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed=-1", "seed: must be greater than or equal to 0"),
        ("seed=true", "seed: must be a whole number, got true"),
        ("name=a/b", "name: must be letters"),
        ("data=5", "data: must be a mapping of keys, got 5"),
        ("data.classes=cell", "data.classes: must be a list"),
        ("data.classes=[]", "data.classes: "),
        ("data.classes=[no, 1]", "data.classes.1: must be text, got 1"),
        ('data.classes=["a\\nb"]', "data.classes.0: must be printable text"),
        ("data.resize=[0, 5]", "data.resize.0: must be greater than or equal to 1"),
        ("data.augment=[{}]", "data.augment.0: must be one name and its arguments"),
        ("data.split.train=1.5", "data.split.train: must be less than or equal to 1"),
        ("model={unet: {}, linknet: {}}", "to use another model, replace all of it"),
        ("model={unet: 5}", "model.unet: must be a mapping of keys"),
        ("model=5", "model: must be one name and its arguments, such as {linknet: {...}}"),
        ("model={}", "model: must be one name"),
        ("model.unet.attention=yes", "model.unet.attention: must be true or false, got 'yes'"),
        ("data.source.coco.root=x", "to use another source, replace all of it"),
        ("loss.combo.alpha=.nan", "loss.combo.alpha: must be a finite number"),
        ("train.precision=flaot32", "did you mean 'float32'?"),
        ("zzz=1", "zzz: unknown key; choose one of name, seed, label, data"),
        ("data.patch.size=[1, 2, 3, 4]", "data.patch.size: must be one number of pixels, or [height, width]"),
        ("data.patch.size=[0, 5]", "data.patch.size: must be one number of pixels"),
        ("data.patch.size=true", "data.patch.size: must be one number of pixels"),
        ("data.patch.size=[8, 8, 8]", "size is [8, 8, 8], and labelme needs one number or [height, width]"),
        ("data.unpaired={volumes: {root: x}}", "data.unpaired: volumes and data.source labelme: one of them"),
    ],
)
def test_a_wrong_value_is_refused_in_words(write, override, words):
    (message,) = mistakes(write(yaml.safe_dump(SMALL)), [override])
    assert words in message


VOLUMES = ["data.source={volumes: {root: x, mask_type: channels, channels: {cell: 1}}}"]


def test_volumes_have_their_own_sizes(write):
    path = write(yaml.safe_dump(SMALL))
    recipe = load(
        path, [*VOLUMES, "data.patch.size=[16, 64, 64]", "data.unpaired={volumes: {root: y, images: null}}"]
    )
    assert recipe.data.patch.sides(recipe.data.rank) == (16, 64, 64)
    assert recipe.data.unpaired.arguments["images"] is None
    assert load(write(recipe.to_yaml())) == recipe
    assert load(path, [*VOLUMES, "data.patch.size=64"]).data.patch.sides(3) == (64, 64, 64)
    assert "volumes are not resized" in mistakes(path, [*VOLUMES, "data.resize=[64, 64]"])[0]
    assert "[depth, height, width]" in mistakes(path, [*VOLUMES, "data.patch.size=[64, 64]"])[0]
    assert (
        "data.source.volumes.channels.cell"
        in mistakes(path, ["data.source={volumes: {root: x, channels: {cell: -1}}}"])[0]
    )


@pytest.mark.parametrize(
    ("overrides", "tile", "overlap"),
    [
        ([], 256, 32),
        (VOLUMES, 64, 8),
        ([*VOLUMES, "predict.blend=crop"], 64, 8),
        ([*VOLUMES, "predict.tile=96"], 96, 32),
    ],
)
def test_tiles_of_volumes_are_small_unless_they_are_said(write, overrides, tile, overlap):
    predict = load(write(yaml.safe_dump(SMALL)), [*overrides, "data.patch.size=16"]).predict
    assert (predict.tile, predict.overlap) == (tile, overlap)


def test_classes_that_overlap_are_not_for_softmax(write):
    path = write(yaml.safe_dump(SMALL))
    assert load(path, ["data.multilabel=true"]).data.multilabel
    (message,) = mistakes(path, ["data.multilabel=true", "model.unet.activation=softmax"])
    assert "data.multilabel is true; set it to sigmoid" in message


@pytest.mark.parametrize("text", ["", "5", "[a]", "just words"])
def test_a_recipe_is_a_mapping(write, text):
    assert "a recipe is a mapping of keys" in mistakes(write(text))[0]


def test_keys_that_are_no_text_are_refused(write):
    assert "a key must be text" in mistakes(write(yaml.safe_dump(SMALL) + "5: x\n"))[0]


def test_files_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "r.yaml").write_bytes(b"name: \xff\xfe")
    assert "cannot be read as text" in mistakes(tmp_path / "r.yaml")[0]
    assert "this is a folder; expected a recipe" in mistakes(tmp_path)[0]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_key_that_stands_elsewhere_leads_to_where_this_recipe_has_it(write, optimizer):
    path = write(yaml.safe_dump(SMALL | {"train": {"optimizer": optimizer}}))
    (message,) = mistakes(path, ["train.learning_rate=1"])
    assert message.endswith(f"; there is train.optimizer.{optimizer}.learning_rate")


def test_a_key_that_stands_elsewhere_leads_to_the_default_component_too(write):
    assert mistakes(write(yaml.safe_dump(SMALL)), ["train.learning_rate=1"])[0].endswith(
        "; there is train.optimizer.adam.learning_rate"
    )
    with pytest.raises(UserError, match=r"data\.epochs: unknown key; there is train\.epochs"):
        load("sartorius_linknet", ["data.epochs=1"])


def test_arguments_of_another_model_are_said_to_be_its(write):
    model = {"linknet": {"decoder_filters": [8, 4], "upsampling": "repeat", "last_filters": 4}}
    messages = mistakes(write(yaml.safe_dump(SMALL | {"model": model})))
    assert [text.partition(": ")[2] for text in messages] == [
        "model.linknet.decoder_filters: decoder_filters belongs to unet, and not to linknet; take it out",
        "model.linknet.upsampling: upsampling belongs to unet, and not to linknet; take it out",
    ]


def test_a_tab_is_named(tmp_path):
    (tmp_path / "r.yaml").write_text("name: x\ndata:\n\tsource: a\n")
    with pytest.raises(
        UserError, match=r"r\.yaml:3: not valid YAML: line 3 holds a tab; YAML is indented by spaces"
    ):
        load(tmp_path / "r.yaml")


def test_names_to_be_ignored_are_no_classes_and_need_a_source_that_names_things(write):
    path = write(yaml.safe_dump(SMALL))
    (message,) = mistakes(path, ["data.ignore=[cell]"])
    assert "data.ignore: cell is in data.classes too" in message
    labelme = "data.source={labelme: {root: x}}"
    assert load(path, [labelme, "data.ignore=[debris]"]).data.ignore == ["debris"]
    (message,) = mistakes(path, ["data.source={instances: {root: x}}", "data.ignore=[debris]"])
    assert "instances tells objects of one class apart" in message
