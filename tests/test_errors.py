"""Messages of one kind are counted, and those of other kinds are not lost among them."""

import pytest

from kerasseg.errors import ALIKE, KINDS, Blocked, UserError, counted, kind_of, naming, unwritable


def test_a_few_of_a_kind_are_shown_and_the_others_counted():
    arrows = [f"cells.zip: {at:04}-0001.roi: it is arrow; expected an area" for at in range(1588)]
    missing = ["in/a b (1).png: there is no mask masks/a b (1).*; annotate it, or move it elsewhere"]
    assert counted([*arrows[:9], *missing, *arrows[9:]]) == [
        *arrows[:ALIKE],
        "... and 1,583 more like these",
        *missing,
    ]


def test_kinds_are_told_by_their_words_and_not_by_names_numbers_and_quotations():
    assert kind_of("in/a 1.png: no mask masks/a 1.*; add it") == kind_of("b.png: no mask masks/b.*; add it")
    assert kind_of("a: unknown class 'big cell'") == kind_of("b: unknown class 'debris'")
    assert kind_of("a.png: the file is empty") != kind_of("a.png: the file is damaged")


def test_few_messages_stay_as_they_are_and_what_is_said_twice_is_said_once():
    assert counted(["b: two", "a: one", "b: two"]) == ["b: two", "a: one"]
    assert counted([]) == []


def test_kinds_without_end_are_counted_too():
    word = "".join
    messages = [f"a: {word(chr(97 + int(digit)) for digit in str(at))}" for at in range(100)]
    assert counted(messages) == [*messages[:KINDS], f"... and {100 - KINDS} more of other kinds"]


def test_a_file_where_a_folder_is_meant_is_named(tmp_path):
    (tmp_path / "a.png").touch()
    inside = tmp_path / "a.png" / "deep" / ".b.lock"
    message = str(unwritable(inside, NotADirectoryError(20, "Not a directory")))
    assert message == f"{tmp_path / 'a.png'}: this is a file; expected a folder, or a name that is free"
    missing = FileNotFoundError(2, "No such file or directory")
    assert "it cannot be written (No such file" in str(unwritable(tmp_path / "b" / "c", missing))


def test_naming_puts_the_file_before_each_mistake_that_lacks_it():
    with pytest.raises(UserError) as caught, naming("a.png"):
        raise Blocked("it is damaged", "a.png: it is empty")
    assert caught.type is Blocked
    assert caught.value.messages == ("a.png: it is damaged", "a.png: it is empty")
