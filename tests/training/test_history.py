"""Rows, their file, and what they give away."""

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
