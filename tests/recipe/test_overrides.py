import pytest

from kerasseg.errors import UserError
from kerasseg.recipe.loading import apply, override, read_override


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("train.epochs=5", ("train", "epochs"), 5),
        ("a=1e-3", ("a",), 0.001),
        ("a=", ("a",), None),
        ("a=[cell, debris]", ("a",), ["cell", "debris"]),
        ("a={b: 1}", ("a",), {"b": 1}),
        ("a=x=y", ("a",), "x=y"),
        ("data.augment.0.Flip.p=1", ("data", "augment", 0, "Flip", "p"), 1),
    ],
)
def test_read(text, path, value):
    assert read_override(text) == (path, value)


@pytest.mark.parametrize("text", ["epochs", "=5", ".a=5", "a..b=5", "a=[1", "a={b: 1, b: 2}"])
def test_what_is_no_override_is_refused(text):
    with pytest.raises(UserError, match="override"):
        read_override(text)


def test_what_an_alias_shares_is_overridden_at_one_place():
    train = {"epochs": 1}
    assert override({"a": train, "b": [train]}, ("b", 0, "epochs"), 9) == {
        "a": {"epochs": 1},
        "b": [{"epochs": 9}],
    }


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ({"a": 1, "b": 2}, ("a",), {"a": 9, "b": 2}),
        ({}, ("a", "b"), {"a": {"b": 9}}),
        ({"a": None}, ("a", "b"), {"a": {"b": 9}}),
        ({"a": [1, 2]}, ("a", 1), {"a": [1, 9]}),
        ({"loss": "dice"}, ("loss", "dice", "smooth"), {"loss": {"dice": {"smooth": 9}}}),
        ({"loss": {"dice": None}}, ("loss", "dice", "smooth"), {"loss": {"dice": {"smooth": 9}}}),
    ],
)
def test_a_path_is_set_and_what_it_lacks_is_made(value, path, expected):
    before = repr(value)
    assert override(value, path, 9) == expected
    assert repr(value) == before, "the original is left alone"


@pytest.mark.parametrize(
    ("value", "path", "words"),
    [
        ({"a": 5}, ("a", "b"), "a is 5"),
        ({"a": [1]}, ("a", 1), "a is a list of 1, counted from 0"),
        ({"a": [1]}, ("a", "b"), "a is a list of 1"),
        ({"a": "focal"}, ("a", "dice", "smooth"), "a is 'focal'"),
    ],
)
def test_a_path_through_something_without_keys_is_refused(value, path, words):
    with pytest.raises(UserError, match=words):
        override(value, path, 9)


def test_later_overrides_win_and_all_wrong_ones_are_named():
    value, paths, wrong = apply({}, ["a=1", "oops", "a=2", "b=["])
    assert value == {"a": 2}
    assert paths == [("a",), ("a",)]
    assert len(wrong) == 2
    assert "oops" in wrong[0]
    assert "b=[" in wrong[1]
