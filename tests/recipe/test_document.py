import pytest

from kerasseg.errors import UserError
from kerasseg.recipe.document import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.0E+2", 100.0),
        (".5", 0.5),
        ("12", 12),
        ("0x10", 16),
        ("true", True),
        ("null", None),
        ("", None),
        ("no", "no"),  # false in YAML 1.1
        ("on", "on"),  # true in YAML 1.1
        ("12:30", "12:30"),  # 750 in YAML 1.1
        ("017", "017"),  # 15 in YAML 1.1
        ("1_000", "1_000"),  # 1000 in YAML 1.1
        ("2020-01-31", "2020-01-31"),  # a date in YAML 1.1
        ("e3", "e3"),
        ("../data", "../data"),
    ],
)
def test_values_have_the_types_of_yaml_1_2(text, value):
    assert parse(text, "x").value == value
    assert type(parse(text, "x").value) is type(value)


def test_a_key_knows_its_line():
    document = parse("a: 1\nb:\n  c: [5,\n    6]\n", "x")
    assert document.line(("b", "c")) == 3
    assert document.line(("b", "c", 1)) == 4
    assert document.line(("b", "d")) == 3, "of the section around a missing key"
    assert document.line(("z",)) is None


def test_keys_given_twice_are_all_named():
    document = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n", "r.yaml")
    assert document.duplicates == [
        "r.yaml:2: b.c: given twice, first on line 2; keep one",
        "r.yaml:3: a: given twice, first on line 1; keep one",
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [1\nb: 2", "r.yaml:2: not valid YAML"),
        ("a:\n\tb: 1", "r.yaml:2: not valid YAML"),
        ("a: !!python/object:os.system {}", "r.yaml:1: not valid YAML"),
        ("a: *b", "r.yaml:1: not valid YAML"),
        ("a: 1\n---\nb: 2", "r.yaml:2: not valid YAML"),
        ("a: \0", "r.yaml: not valid YAML"),
        ("&a [*a]", "r.yaml: nested too deeply, or an alias that contains itself"),
        ("[" * 5000, "r.yaml: nested too deeply"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text, where):
    with pytest.raises(UserError) as caught:
        parse(text, "r.yaml")
    assert str(caught.value).startswith(where)


def test_a_key_that_was_merged_may_be_given_again():
    parsed = parse("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n", "text")
    assert parsed.value["b"] == {"x": 1, "y": 3}
    assert parsed.duplicates == []
    assert (parsed.line(("b", "y")), parsed.line(("b", "x"))) == (4, 3)  # where it is merged
