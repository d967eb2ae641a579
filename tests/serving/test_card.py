"""What a card says, and says loudly."""

from dataclasses import replace

import pytest
from specs import spec

from kerasseg.images.normalisation import Dtype, Minmax, Percentile
from kerasseg.serving import card
from kerasseg.spec import Objects

CELLS = spec(
    classes=("cell", "dust"),
    channels=3,
    normalise=Percentile(),
    resize=(256, 320),
    threshold=0.4,
    stride=(32, 32),
)


@pytest.fixture
def facts():
    scores = dict.fromkeys(card.SCORES, 0.8) | {f"{name}_interval": [0.75, 0.85] for name in card.SCORES}
    groups = {"train": {"a": 3, "b": 2}, "validation": {"c": 1}, "test": {"d": 2}}
    return {
        "run": "runs/cells/1",
        "largest_difference": 3e-6,
        "environment": {"kerasseg": "0.1.0"},
        "data": {
            "origin": "real",
            "images": 8,
            "sizes": {"520x704": 8},
            "objects": 41,
            "audit": {"group_by": "well", "groups": groups, "leaks": [], "warnings": []},
        },
        "metrics": {
            "size": "256x320",
            "test": {"classes": {"cell": scores, "dust": scores}},
            "fallbacks": [],
        },
    }


def rows(text):
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_it_says_what_the_model_takes_gives_learnt_and_scored(facts):
    text = card.render("cells", CELLS, facts)
    assert "1 is cell, 2 is dust, from a probability of 0.4 on" in text
    assert "looked at as 256 x 320 (height x width)" in text
    assert "by `percentile`: each channel's percentiles 1 and 99.8 become 0 and 1" in text
    assert "at most 3e-06 from the Keras model's" in text
    assert "8 images of 520x704 (8) (height x width), 41 objects. Shared out by `well`" in text
    assert "| train | 5 | 2 |" in rows(text)
    assert any(row.startswith("| dust | 0.8000 (0.7500 to 0.8500) |") for row in rows(text))
    assert "SYNTHETIC" not in text
    assert "FALLBACK" not in text


def test_it_says_what_training_went_on_from(facts):
    assert "went on from" not in card.render("cells", CELLS, facts)
    facts["base"] = {"run": "runs/nuclei/1", "weights": "ab" * 32, "taken": "the encoder's weights"}
    text = card.render("cells", CELLS, facts)
    assert f"`runs/nuclei/1` (SHA-256 of its weights {'ab' * 32}): the encoder's weights" in text


def test_a_class_without_truth_has_no_score(facts):
    absent = dict.fromkeys(card.SCORES) | {f"{score}_interval": [None] * 2 for score in card.SCORES}
    facts["metrics"]["test"]["classes"]["dust"] = absent
    found = rows(card.render("cells", CELLS, facts))
    assert "| dust | no true pixel | no true pixel | no true pixel | no true pixel |" in found
    assert any(row.startswith("| cell | 0.8000 (") for row in found)


@pytest.mark.parametrize(
    ("method", "words"), [(Dtype(), "divided by the largest value"), (Minmax(), "smallest and largest value")]
)
def test_it_says_how_intensities_come_into_the_range(method, words):
    text = card.render("cells", replace(CELLS, normalise=method), {})
    assert f"normalised by `{method.name}`: " in text
    assert words in text


def test_what_took_the_place_of_something_else_is_loud(facts):
    facts["data"]["origin"] = "SYNTHETIC"
    facts["data"]["audit"]["leaks"] = ["group 'a' is in train and test"]
    facts["metrics"]["fallbacks"] = ["RANDOM encoder weights instead"]
    text = card.render("cells", CELLS, facts)
    assert "> **SYNTHETIC DATA." in text
    assert "> **FALLBACK: RANDOM encoder weights instead**" in text
    assert "> **LEAK, which makes scores too good: group 'a' is in train and test**" in text


def test_what_is_not_known_is_left_out():
    text = card.render("cells", CELLS, {"data": {}, "metrics": {}, "environment": {}})
    assert "Training data" not in text
    assert "Scores" not in text
    assert "models/cells:predict" in text


def test_tables_are_whole(facts):
    text = card.render("cells", CELLS, facts)
    for table in text.split("\n\n"):
        if table.startswith("|"):
            assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_a_landscape_is_said_to_be_no_class():
    deep = spec(objects=Objects("deep_watershed", {}))
    package = card.render_package("cells", deep, {"largest_difference": 0.0}, [])
    for text in (card.render("cells", deep, {}), package):
        assert "The last channel is no class but a landscape" in text
    assert "channel 0 is cell, channel 1 is landscape" in package
    assert "likeliest" not in package
