"""Rows, their file, and what they give away."""

import math

import pytest

from kerasseg.training import history


def row(
    epoch: int, loss: float = 0.5, dice: float = 0.5, val_loss: float = 0.5, val_dice: float = 0.5
) -> history.Row:
    return {
        "epoch": epoch,
        "loss": loss,
        "dice": dice,
        "val_loss": val_loss,
        "val_dice": val_dice,
        "learning_rate": 1e-3,
        "seconds": 1.25,
    }


def test_a_file_gives_back_the_very_same_numbers(tmp_path):
    rows = [row(1, loss=1 / 3, val_loss=float("inf")), row(2, loss=1e-30)]
    history.write(tmp_path / "history.csv", rows)
    assert history.read(tmp_path / "history.csv") == rows


def test_the_best_epoch_is_the_first_of_the_lowest_and_never_nan():
    rows = [row(1, val_loss=float("nan")), row(2, val_loss=0.3), row(3, val_loss=0.3), row(4, val_loss=0.4)]
    assert history.best(rows)["epoch"] == 2
    assert history.best([]) is None


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (row(2, loss=0.4, dice=0.6, val_dice=0.0), True),
        (row(2, loss=0.4, dice=0.6, val_dice=0.5), False),
        (row(2, loss=0.6, dice=0.6, val_dice=0.0), False),  # training does not improve either
        (row(2, loss=0.4, dice=0.0, val_dice=0.0), False),  # training finds nothing either
    ],
)
def test_lagging_batch_statistics_are_noticed(last, expected):
    assert history.degenerate([row(1), last]) == expected


@pytest.mark.parametrize(
    ("rows", "stopped", "expected"),
    [
        ([row(1), row(2, val_loss=0.4)], "epochs", []),
        ([row(1), row(2, val_loss=0.6)], "epochs", []),  # too early to tell
        ([row(1, val_loss=0.4), row(2), row(3)], "epochs", ["No epoch was better than the first"]),
        ([row(1), row(2, val_loss=0.4, val_dice=0.0)], "epochs", ["The model finds next to nothing"]),
        ([row(1), row(2, val_loss=0.4)], "divergence", ["The training diverged in epoch 3: "]),
        ([], "interrupted", []),
        ([{"epoch": 1, "val_loss": 0.4}], None, []),
    ],
)
def test_a_training_that_failed_is_told(rows, stopped, expected):
    failures = history.failures(rows, stopped)
    assert [failure[: len(begin)] for failure, begin in zip(failures, expected, strict=True)] == expected


def test_what_an_engine_logs_stands_in_order():
    logs = {"val_dice": 0.1, "discriminator_loss": 0.2, "val_loss": 0.3, "dice": 0.4, "loss": 0.5}
    assert list(history.ordered(logs)) == ["loss", "dice", "discriminator_loss", "val_loss", "val_dice"]


def test_the_first_row_says_which_columns_there_are(tmp_path):
    first, second = row(1), {**row(2), "difference": 0.1}
    del second["dice"]
    history.write(tmp_path / "history.csv", [first, second])
    again = history.read(tmp_path / "history.csv")
    assert list(again[1]) == list(first)
    assert math.isnan(again[1]["dice"])


def test_a_line_tells_whatever_there_is():
    told = history.line(
        {"epoch": 3, "loss": 0.5, "difference": 0.25, "learning_rate": 1e-3, "seconds": 2.0}, 9
    )
    assert told == "epoch 3/9  loss 0.5000  difference 0.2500  learning rate 0.001  2.0 s"


def test_answers_that_differ_by_nothing_are_a_collapse():
    assert not history.collapsed([])
    assert not history.collapsed([row(1)])
    alike = [{**row(epoch), "difference": 1e-4} for epoch in range(1, history.FOR_GOOD + 1)]
    assert not history.collapsed(alike[1:])
    assert not history.collapsed([*alike[1:], {**row(4), "difference": 0.01}])
    assert not history.collapsed([*alike[1:], {**row(4), "difference": math.nan}])
    assert history.collapsed([row(0), *alike])


def test_without_both_dice_nothing_is_said_of_batch_statistics():
    rows = [{"loss": 0.5, "val_dice": 0.0}, {"loss": 0.4, "val_dice": 0.0}]
    assert not history.degenerate(rows)
