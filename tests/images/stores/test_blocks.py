"""Chunks that are left out are said once, and not without limit."""

from kerasseg.images.stores import blocks


def test_arrays_are_named_once_and_only_the_first(capsys, monkeypatch):
    monkeypatch.setattr(blocks, "_said", set())
    for name in ("whole", *"aabbcdefgh"):
        blocks.say_missing(name, 0 if name == "whole" else 2, 9, "0")
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines[:5]] == list("abcde")
    assert "2 of 9 chunks are missing; they are read as 0" in lines[0]
    assert lines[5:] == ["... and f; more arrays like these are not named"]
