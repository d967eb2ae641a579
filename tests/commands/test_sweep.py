"""A sweep trains each combination once, in processes that may die and may be several."""

import csv
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kerasseg import locks
from kerasseg.commands import sweep as sweeping
from kerasseg.errors import UserError
from kerasseg.recipe.sweep import read_plan

pytest.importorskip("optuna", reason="the extra sweep is not installed")

RECIPE = """
name: tiny
data: {source: {images_masks: {root: none}}, classes: [cell], channels: 1}
model: {unet: {encoder: plain, levels: 2, attention: false}}
"""
GRID = ("model.unet.levels=1,2", "model.unet.base_filters=2,4")
RUN = """
import json, pathlib, sys
place, loss = pathlib.Path(sys.argv[1]) / "tiny" / "1", sys.argv[2]
place.mkdir(parents=True, exist_ok=True)
(place / "recipe.yaml").touch()
(place / "history.csv").write_text(f"epoch,loss,val_loss,learning_rate,seconds\\n1,0.5,{loss},0.001,1.0\\n")
(place / "metrics.json").write_text(json.dumps({"test": {"classes": {"cell": {"dice": 0.75}}}}))
(place / "status.json").write_text(json.dumps({"state": "finished", "seconds": 12.5, "peak_mib": 640}))
"""


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(RECIPE)
    counts = lambda plan: list(range(100, 100 + len(plan.grid())))  # noqa: E731
    monkeypatch.setattr(sweeping, "_count_parameters", counts)
    return "r.yaml"


@pytest.fixture
def began(monkeypatch):
    """Put a moment's work in the place of training, and list what was begun; its loss is 1 / filters."""
    began = []

    def command(plan, parameters, place, *, resume):
        began.append((place.name, resume))
        filters = plan.recipe_of(parameters).model.base_filters
        return [sys.executable, "-c", RUN, str(place), str(1 / filters)]

    monkeypatch.setattr(sweeping, "_command", command)
    return began


def wait_for(is_so, seconds=30):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def sweep(recipe, overrides, **options):
    sweeping.sweep(read_plan(recipe, overrides, **options))


def table():
    with Path("sweeps/tiny/table.csv").open() as file:
        return list(csv.DictReader(file))


def test_overrides_are_values_for_all_choices_or_ranges(recipe):
    texts = ["train.epochs=3", "data.classes=[a, b]", "model.unet.levels=1,2", "data.resize=[32, 32],null"]
    plan = read_plan(recipe, texts)
    assert plan.fixed == ("train.epochs=3", "data.classes=[a, b]")
    assert plan.choices == {"model.unet.levels": ("1", "2"), "data.resize": ("[32, 32]", "null")}
    assert len(plan.grid()) == 4
    rate = "train.optimizer.adam.learning_rate"
    searched = read_plan(recipe, [f"{rate}=1.0e-4..1.0e-2"], search="tpe", trials=3)
    assert searched.ranges == {rate: (1e-4, 1e-2)}


@pytest.mark.parametrize(
    ("overrides", "search", "message"),
    [
        (["train.epochs=3"], "grid", "nothing varies"),
        (["model.unet.levels=1..3"], "grid", "a range is for --search tpe or random"),
        (["model.unet.levels=1,2"], "bayes", "unknown search 'bayes'"),
        (["model.unet.depth=1,2"], "grid", "model.unet.depth: unknown key"),
        (["data.source.images_masks.root=../a,../b", "model.unet.levels=0,-1"], "grid", "levels"),
    ],
)
def test_what_cannot_be_swept_is_said_before_anything_is_begun(recipe, overrides, search, message):
    with pytest.raises(UserError, match=message):
        read_plan(recipe, overrides, search=search)
    assert not Path("sweeps").exists()


def test_a_value_that_is_given_twice_is_tried_once(recipe):
    assert read_plan(recipe, ["model.unet.levels=1,2,1"]).choices == {"model.unet.levels": ("1", "2")}


def test_all_ranges_of_a_grid_are_told_together(recipe):
    with pytest.raises(UserError) as refused:
        read_plan(recipe, ["model.unet.levels=1..3", "model.unet.base_filters=2..8"])
    assert len(refused.value.messages) == 2


def test_every_combination_is_trained_once_and_the_best_stands_first(recipe, began):
    sweep(recipe, GRID)
    assert sorted(name for name, _ in began) == sorted(
        f"levels={levels},base_filters={filters}" for levels in (1, 2) for filters in (2, 4)
    )
    rows = table()
    assert [float(row["val_loss"]) for row in rows] == [0.25, 0.25, 0.5, 0.5]
    assert {row["parameters"] for row in rows} == {"100", "101", "102", "103"}
    text = Path("sweeps/tiny/table.md").read_text()
    assert text.count("**complete**") == 2  # a tie
    page = Path("sweeps/tiny/sweep.html").read_text()
    assert "levels=1, base_filters=4, tied with levels=2, base_filters=4" in page
    sweep(recipe, GRID)
    assert len(began) == 4


def test_the_table_is_printed_as_papers_do_and_kept_as_it_is(recipe, began):
    sweep(recipe, GRID)
    heading, _, first, *_ = Path("sweeps/tiny/table.md").read_text().splitlines()
    printed = dict(zip(heading.strip("| ").split(" | "), first.strip("| ").split(" | "), strict=True))
    assert {name: printed[name].strip("*") for name in ("parameters, M", "loss, 1e-2", "val_loss, 1e-2")} == {
        "parameters, M": "0.000101",
        "loss, 1e-2": "50",
        "val_loss, 1e-2": "25",
    }
    assert (table()[0]["parameters"], table()[0]["loss"], table()[0]["val_loss"]) == ("101", "0.5", "0.25")
    assert '<th class="n">val_loss, 1e-2</th>' in Path("sweeps/tiny/sweep.html").read_text()


def test_a_trial_that_outlived_its_sweep_says_itself_what_it_took(recipe, began, monkeypatch):
    def killed(study, trial, plan, folder):
        place = sweeping._place(folder, trial.params)
        subprocess.run(sweeping._command(plan, trial.params, place, resume=False), check=True)

    with monkeypatch.context() as patched:
        patched.setattr(sweeping, "_run_trial", killed)  # nobody waits for it and tells how it ended
        sweep(recipe, GRID[:1])
    sweep(recipe, GRID[:1])
    assert [(row["state"], row["seconds"], row["peak_mib"]) for row in table()] == [
        ("complete", "12.5", "640")
    ] * 2


def test_another_sweep_of_the_same_name_is_refused_and_told_apart(recipe, began):
    sweep(recipe, GRID)
    with pytest.raises(UserError, match="different settings") as refused:
        sweep(recipe, GRID[:1])
    assert any("base_filters" in line for line in refused.value.messages[1:])


def test_a_sweep_that_was_stopped_goes_on_where_it_was(recipe, began, monkeypatch):
    wait, waited = os.wait4, []

    def interrupted(*arguments):
        waited.append(0)
        if len(waited) == 2:
            raise KeyboardInterrupt
        return wait(*arguments)

    monkeypatch.setattr(os, "wait4", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(recipe, GRID)
    sweep(recipe, GRID)
    assert len(table()) == 4
    assert {row["state"] for row in table()} == {"complete"}
    assert len({name for name, _ in began}) == 4


def test_a_trial_that_a_killed_sweep_left_at_work_is_named(recipe, began, monkeypatch, capsys):
    monkeypatch.setattr(sweeping, "_run_trial", lambda *_: None)  # nobody tells how it ended
    monkeypatch.setattr(sweeping, "_is_trained", lambda *_: True)
    sweep(recipe, GRID[:1])
    shown = " ".join(capsys.readouterr().out.split())
    assert "trial 0 is at work in another process, which ends the table; if that is gone, repeat" in shown


def test_a_trial_whose_process_is_killed_is_begun_once_more_and_then_shown_last(recipe, began, monkeypatch):
    well = sweeping._command

    def command(plan, parameters, place, *, resume):
        line = well(plan, parameters, place, resume=resume)
        die = f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})"
        return [sys.executable, "-c", die] if "levels=1,base_filters=4" in place.name else line

    monkeypatch.setattr(sweeping, "_command", command)
    sweep(recipe, GRID)
    assert [name for name, _ in began].count("levels=1,base_filters=4") == 2
    assert (table()[-1]["state"], table()[-1]["reason"]) == ("fail", "its process was killed")
    assert len(table()) == 4


def test_a_trial_that_fails_says_why_and_is_not_repeated(recipe, began, monkeypatch):
    said = "import sys; print('error: the split is empty'); sys.exit(2)"
    monkeypatch.setattr(sweeping, "_command", lambda *_, **__: [sys.executable, "-c", said])
    sweep(recipe, GRID[:1])
    assert [row["reason"] for row in table()] == ["the split is empty"] * 2


@pytest.mark.parametrize("storage", [None, "sqlite:///sweep.db"])
def test_processes_that_start_together_share_a_sweep(recipe, began, storage):
    plan, children = read_plan(recipe, GRID), []
    for _ in range(4):
        child = os.fork()
        if not child:
            sweeping.sweep(plan, storage=storage)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    sweeping.sweep(plan, storage=storage)
    assert not began  # nothing was left
    assert [row["state"] for row in table()] == ["complete"] * 4
    logs = list(Path("sweeps/tiny/trials").glob("*/tiny/*"))
    assert len(logs) == 4


SLOW = """
import os, pathlib, time
from kerasseg.cli.trial import end_with_parent
end_with_parent()
pathlib.Path("training").write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that began it")
def test_a_sweep_that_is_killed_takes_its_training_along_and_another_takes_the_trial(
    recipe, began, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(sweeping, "_command", lambda *_, **__: [sys.executable, "-c", SLOW])
        child = os.fork()
        if not child:
            sweep(recipe, GRID)
            os._exit(0)
    training = Path("training")
    wait_for(lambda: training.exists() and training.read_text())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    stat = Path(f"/proc/{training.read_text()}/stat")
    wait_for(lambda: not stat.exists() or ") Z " in stat.read_text())
    sweep(recipe, GRID)
    assert len(began) == len({name for name, _ in began}) == 4
    assert [row["state"] for row in table()] == ["complete"] * 4


def test_a_journal_whose_last_line_a_full_disk_cut_short_is_gone_on_with(recipe, began):
    sweep(recipe, GRID[:1])
    with Path("sweeps/tiny/optuna.log").open("ab") as journal:
        journal.write(b'{"op_code": 5, "worker_id": "half a li')
    for _ in range(2):  # Optuna alone adds a line to that, and reads none behind it
        sweep(recipe, GRID[:1])
    assert len(began) == 2
    assert [row["state"] for row in table()] == ["complete"] * 2


def test_tables_are_written_one_after_the_other_so_that_the_last_holds_all(recipe, began, monkeypatch):
    write, held = sweeping.page.write, []

    def written(folder, *what):
        with locks.tried(folder / ".report.lock") as is_free:
            held.append(not is_free)
        return write(folder, *what)

    monkeypatch.setattr(sweeping.page, "write", written)
    sweep(recipe, GRID[:1])
    assert held == [True] * 3


@pytest.fixture
def dask():
    return pytest.importorskip("distributed", reason="the extra dask is not installed")


def in_threads(dask):
    """A cluster of two workers in this process."""
    return dask.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0")


def test_workers_of_a_cluster_share_a_sweep_and_are_heard_of(recipe, began, dask, capsys):
    with in_threads(dask) as cluster:
        sweeping.sweep_on_cluster(read_plan(recipe, GRID), cluster.scheduler_address)
    assert [row["state"] for row in table()] == ["complete"] * 4
    assert sorted(name for name, _ in began) == sorted({name for name, _ in began})
    assert capsys.readouterr().out.count(" complete: levels=") == 4


def test_workers_whose_client_is_interrupted_begin_no_other_trial(recipe, began, dask, monkeypatch):
    words, report, reports = sweeping._words, sweeping._report, []

    def interrupted(parameters):
        """Take the place of what is said of the first trial that has ended."""
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return words(parameters)

    def reported(*what):
        reports.append(report(*what))
        return reports[-1]

    monkeypatch.setattr(sweeping, "_words", interrupted)
    monkeypatch.setattr(sweeping, "_report", reported)
    with in_threads(dask) as cluster:
        with pytest.raises(KeyboardInterrupt, match="and begin no other"):
            sweeping.sweep_on_cluster(read_plan(recipe, GRID), cluster.scheduler_address)
        wait_for(lambda: len(reports) == 2)
    assert len(began) == 2


KILLS_ITS_WORKER = """
import os, pathlib, signal
try:
    pathlib.Path("killed").touch(exist_ok=False)
except FileExistsError:
    pass
else:
    os.kill(os.getppid(), signal.SIGKILL)
    os._exit(1)
"""


def pretended(plan, parameters, place, *, resume):
    loss = str(1 / plan.recipe_of(parameters).model.base_filters)
    return [sys.executable, "-c", KILLS_ITS_WORKER + RUN, str(place), loss]


def test_a_trial_whose_worker_is_killed_is_taken_by_another(recipe, dask):
    class Pretend(dask.WorkerPlugin):
        """Puts a moment's work in the place of training, also on a worker that comes for the killed one."""

        def setup(self, worker):
            sweeping._command = pretended

    with (
        dask.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        dask.Client(cluster) as client,
    ):
        client.register_plugin(Pretend(), name="pretend")
        sweeping.sweep_on_cluster(read_plan(recipe, GRID), cluster.scheduler_address)
    assert Path("killed").exists()
    assert [row["state"] for row in table()] == ["complete"] * 4
    assert [float(row["val_loss"]) for row in table()] == [0.25, 0.25, 0.5, 0.5]


def test_a_search_makes_as_many_trials_as_are_asked_for(recipe, began):
    sweep(recipe, ["model.unet.base_filters=2..320"], search="tpe", trials=5)
    assert len(table()) == 5
    assert float(table()[0]["val_loss"]) == min(float(row["val_loss"]) for row in table())
    sweep(recipe, ["model.unet.base_filters=2..320"], search="tpe", trials=6)  # one more
    assert len(began) == 6
