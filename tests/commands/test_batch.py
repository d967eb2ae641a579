"""A batch goes on after an image that fails, leaves to others what they do, and says what became of all."""

import json
import warnings
from pathlib import Path

import pytest

from kerasseg.commands.batch import BUSY, FAILED, THERE, WRITTEN, Outcome, print_json, report, work_through
from kerasseg.console import saying_warnings
from kerasseg.errors import Blocked, Busy, Incomplete, Notice, UserError
from kerasseg.files import Written
from kerasseg.images.appearance import Unlike

THREE = {Path(f"{name}.png"): Path(f"out/{name}.mask.png") for name in "abc"}


def states(outcomes):
    return {outcome.file: outcome.state for outcome in outcomes}


def test_an_image_that_fails_does_not_stop_the_others(capsys):
    def work(image, result):
        if image.stem == "b":
            raise UserError("b.png: the file is empty", "b.png: copy it again")
        return Written(result, new=image.stem == "a", objects=7)

    outcomes = work_through(THREE, work)
    assert states(outcomes) == {"a.png": WRITTEN, "b.png": FAILED, "c.png": THERE}
    assert (outcomes[0].result, outcomes[0].objects) == ("out/a.mask.png", 7)
    with pytest.raises(Incomplete) as incomplete:
        report(outcomes, Path("out"))
    assert incomplete.value.messages == ("b.png: the file is empty", "b.png: copy it again")
    assert capsys.readouterr().out == "wrote 1 of 3 results to out, 1 existed already, 1 failed\n"


def test_where_nothing_could_be_done_nothing_is_incomplete():
    with pytest.raises(UserError) as refused:
        report([Outcome("a.png", FAILED, error=("a.png: it is empty",))], Path("out"))
    assert refused.type is UserError


def test_what_another_process_is_at_comes_last_and_is_done_if_that_ends():
    at_work, order = {"a"}, []

    def work(image, result):
        if image.stem in at_work:
            raise Busy(f"{result}: process 7 is at work there")
        order.append(image.stem)
        at_work.clear()
        return Written(result, new=True)

    assert set(states(work_through(THREE, work)).values()) == {WRITTEN}
    assert order == ["b", "c", "a"]


def test_what_another_process_is_at_still_is_left_to_it(capsys):
    def work(image, result):
        if image.stem == "a":
            raise Busy("out/a.mask.png: process 7 is at work there")
        return Written(result, new=True)

    outcomes = work_through(THREE, work)
    assert states(outcomes) == {"b.png": WRITTEN, "c.png": WRITTEN, "a.png": BUSY}
    with pytest.raises(Incomplete, match="process 7 is at work there"):
        report(outcomes, Path("out"))
    assert "wrote 2 of 3 results to out, 1 left to other processes" in capsys.readouterr().out


def test_a_full_disk_ends_the_work_and_what_failed_before_is_said_too():
    def work(image, result):
        raise UserError("a.png: it is empty") if image.stem == "a" else Blocked("the disk is full")

    with pytest.raises(Blocked) as blocked:
        work_through(THREE, work)
    assert blocked.value.messages == ("a.png: it is empty", "the disk is full")


def test_an_interruption_says_how_far_it_came():
    def work(image, result):
        if image.stem == "b":
            raise KeyboardInterrupt
        return Written(result, new=True)

    with pytest.raises(KeyboardInterrupt, match=r"b\.png is number 2 of 3, and what is computed is kept"):
        work_through(THREE, work)


def test_each_outcome_is_told_at_once_as_a_line_of_json(capsys):
    work_through(THREE, lambda image, result: Written(result, new=True, objects=3), print_json)
    first, *others = map(json.loads, capsys.readouterr().out.splitlines())
    assert first.pop("seconds") >= 0
    assert [other["file"] for other in others] == ["b.png", "c.png"]
    assert first == {
        "file": "a.png", "state": "written", "result": "out/a.mask.png", "objects": 3, "error": None,
        "unlike": None,
    }  # fmt: skip


def test_images_unlike_those_of_the_training_are_told_of_and_counted(tmp_path, capsys):
    def work(image, result):
        if image.stem != "b":
            warnings.warn(f"{image}: brighter", Unlike, stacklevel=2)
        warnings.warn(f"{image}: another note", Notice, stacklevel=2)
        return Written(result, new=True)

    with saying_warnings([]):
        outcomes = work_through(THREE, work)
    assert [outcome.unlike for outcome in outcomes] == ["a.png: brighter", None, "c.png: brighter"]
    report(outcomes, tmp_path)
    said = capsys.readouterr().out
    assert said.count("brighter") == 2
    assert said.count("another note") == 3
    assert said.endswith(f"wrote 3 of 3 results to {tmp_path}, 2 of an image unlike those learnt from\n")


def test_folders_that_nothing_came_into_are_not_left(tmp_path):
    def fail(image, result):
        result.parent.mkdir(parents=True)
        raise UserError("it is no image")

    (tmp_path / "mine").mkdir()
    results = {tmp_path / name: tmp_path / name / "deep" / "a.png" for name in ("mine", "made")}
    outcomes = work_through(results, fail)
    assert [outcome.state for outcome in outcomes] == [FAILED] * 2
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]
