"""What a training says while it runs."""

from kerasseg.training import callbacks
from kerasseg.training.callbacks import Progress


def test_steps_and_a_long_validation_say_how_far_they_are(monkeypatch, capsys):
    monkeypatch.setattr(callbacks, "SECONDS_BETWEEN_LINES", 0)
    progress = Progress(epochs=3, steps=8, validated=50)
    progress.on_epoch_begin(1)
    progress.on_train_batch_end(1, {"loss": 0.25})
    progress.on_test_begin()
    progress.on_test_batch_end(9)
    step, validation = capsys.readouterr().out.splitlines()
    assert step.startswith("epoch 2/3  step 2/8  loss 0.2500  ")
    assert validation.startswith("epoch 2/3  validation 10/50  ")


def test_what_was_said_just_now_is_not_said_again(capsys):
    progress = Progress(epochs=1, steps=8, validated=50)
    progress.on_epoch_begin(0)
    progress.on_train_batch_end(0, {"loss": 0.25})
    progress.on_test_begin()
    progress.on_test_batch_end(0)
    assert capsys.readouterr().out == ""
