"""Damaged files are read or refused, and never end in a traceback; a few cases of each kind."""

import fuzz
import pytest


@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_a_valid_input_is_read(kind, tmp_path):
    fuzz.KINDS[kind].make(tmp_path)
    assert fuzz.call(fuzz.KINDS[kind].command, tmp_path) == (fuzz.READ, "")


def test_damaged_inputs_are_read_or_refused():
    outcomes = fuzz.fuzz(300)
    assert {case: outcome for case, outcome in outcomes.items() if outcome not in ("read", "refused")} == {}
    assert {"read", "refused"} == set(outcomes.values())


def test_a_traceback_is_a_failure(tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise ValueError("broken")

    monkeypatch.setattr("kerasseg.annotations.conversion.convert", broken)
    code, problem = fuzz.call("convert coco labels in out", tmp_path)
    assert code == 1
    assert problem.startswith("ValueError: broken")
