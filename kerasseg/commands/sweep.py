"""The verb `sweep`: one recipe trained with many settings, and a table of how each did.

Every trial is a run, in a process of its own: memory and settings of one never reach the next. Which trials
there are and how each ended stands in Optuna's storage, so that a sweep that was killed goes on where it was,
and any number of processes can share one. A trial whose process has died is begun once more, from its last
checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseg import locks
from kerasseg.commands import preparation
from kerasseg.console import say
from kerasseg.errors import UserError, changes, if_interrupted, unknown
from kerasseg.inference import distributed
from kerasseg.recipe import load
from kerasseg.recipe.sweep import Plan
from kerasseg.report import sweep as page
from kerasseg.runs import environment, rundirectory
from kerasseg.runs.rundirectory import RunDirectory
from kerasseg.training import history

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

KILLED = "its process was killed"
JOURNAL = "optuna.log"
LOGARITHMIC = 10  # a range whose end is so many times its beginning is searched by magnitude


def sweep(plan: Plan, *, directory: Path = Path("sweeps"), storage: str | None = None) -> None:
    """Train a recipe with many settings, or go on with that, and write ``table.csv``, ``.md`` and a page.

    Parameters
    ----------
    plan : Plan
    directory : Path
        Where sweeps are kept; this one gets ``<directory>/<name>``.
    storage : str, optional
        URL of a database that Optuna knows, such as ``postgresql://...``; by default a journal in the
        sweep's folder. Processes that share a sweep share its folder too.

    Raises
    ------
    UserError
        If Optuna is missing, the storage cannot be used, or another sweep was begun there.
    """
    folder, study = _opened(plan, directory, storage)
    while _take(study, plan, folder) is not None:
        pass
    _say_what_is_at_work(study)
    say(f"look at {_report(study, plan, folder)}")


def sweep_on_cluster(
    plan: Plan, scheduler: str, *, directory: Path = Path("sweeps"), storage: str | None = None
) -> None:
    """Let the workers of a Dask cluster take trials, one each at a time, as processes that share a sweep do.

    A trial that is lost with its worker is taken again by the next one, as those are that are left. Where
    this process is interrupted, workers finish the trials that they are at.

    Parameters
    ----------
    plan, directory, storage
        As `sweep` takes them; workers see the folder in which this process runs by the same path.
    scheduler : str
        Such as ``tcp://host:8786``.

    Raises
    ------
    UserError
        As `sweep`; and if there is no cluster, or workers are lost time and again.
    """
    advice = "workers finish the trials that they are at, and begin no other; repeat the command to go on"
    with distributed.connected(scheduler) as client, if_interrupted(advice):
        from distributed import as_completed

        folder, study = _opened(plan, directory, storage)
        say(f"{len(client.nthreads())} workers of {scheduler} take trials")
        take = partial(client.submit, _take_there, plan, Path.cwd(), directory, storage, pure=False)
        with distributed.advised("trials", "give them more memory"), client.as_current():
            at_work = as_completed([take() for _ in client.nthreads()])
            for job in at_work:
                if (number := job.result()) is not None:
                    trial = study.get_trials(deepcopy=False)[number]
                    say(f"trial {number} {trial.state.name.lower()}: {_words(trial.params)}")
                    at_work.update(take() for _ in range(len(client.nthreads()) - at_work.count()))
    say(f"look at {_report(study, plan, folder)}")


def _take_there(plan: Plan, place: Path, directory: Path, storage: str | None) -> int | None:
    """Take a trial on a worker, in the folder in which the sweep was begun."""
    with contextlib.chdir(place):
        folder, study = _opened(plan, directory, storage)
        return _take(study, plan, folder)


def _take(study: Study, plan: Plan, folder: Path) -> int | None:
    """Train the next trial, and report; give its number, or None where there is none left."""
    claimed = _claim(study, plan, folder)
    if claimed is None:
        return None
    trial, lock = claimed
    try:
        _run_trial(study, trial, plan, folder)
    finally:
        lock.close()
    _report(study, plan, folder)
    return trial.number


def _opened(plan: Plan, directory: Path, storage: str | None) -> tuple[Path, Study]:
    """Open the study of a sweep, and begin it where that was not done."""
    recipe = load(plan.recipe, plan.fixed)
    if recipe.train.devices == "workers":
        raise UserError(
            "train.devices: workers is for kerasseg run; a sweep shares out trials: add train.devices=auto"
        )
    folder = directory / recipe.name
    with locks.awaited(folder / ".plan.lock"):  # a database's tables are made once, too
        study = open_study(plan, folder, storage)
        _begin(study, plan)
    return folder, study


def open_study(plan: Plan, folder: Path, storage: str | None) -> Study:
    """Open Optuna's study of a sweep, or begin it.

    Raises
    ------
    UserError
        If Optuna is missing, the storage cannot be used, or a sweep with other settings was begun there.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage, RDBStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise UserError("kerasseg sweep needs the package optuna: pip install 'kerasseg[sweep]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _mend(folder / JOURNAL)
        journal = JournalFileBackend(str(folder / JOURNAL))
        kept = RDBStorage(storage) if storage else JournalStorage(journal)
        study = optuna.create_study(
            study_name=folder.name,
            storage=kept,
            direction=plan.direction,
            load_if_exists=True,
        )
    except Exception as error:
        if not storage:
            raise
        raise UserError(f"--storage {storage}: the database cannot be used ({error})") from error
    return study


def _mend(journal: Path) -> None:
    """Cut off half a last line, as a full disk leaves it: Optuna adds to it, and reads no line behind it."""
    from optuna.storages.journal import JournalFileSymlinkLock

    if not journal.exists():
        return
    lock = JournalFileSymlinkLock(str(journal))
    lock.acquire()
    try:
        content = journal.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(journal, content.rfind(b"\n") + 1)
    finally:
        lock.release()


def _begin(study: Study, plan: Plan) -> None:
    """Write down what is swept, and a grid's trials with their parameters; both once."""
    settings = {
        key: _plain(value) for key, value in asdict(plan).items() if key != "trials"
    }  # may become more
    begun = study.user_attrs.get("plan")
    if begun is None:
        if plan.search == "grid":
            counts = _count_parameters(plan)
            for parameters, count in zip(plan.grid(), counts, strict=True):
                study.enqueue_trial(parameters, user_attrs={"parameters": count})
        study.set_user_attr("plan", settings)
    elif different := changes(begun, settings):
        raise UserError(
            f"{study.study_name}: a sweep with different settings was begun here; repeat its command to go "
            "on with it, or choose another --directory",
            *(f"  {line}" for line in different),
        )


def _plain(value: Any) -> Any:
    """Make tuples lists, as storages keep them."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _count_parameters(plan: Plan) -> list[int]:
    """Build the network of each combination and count its parameters, before anything trains."""
    from kerasseg.commands import build

    counts = []
    for parameters in plan.grid():
        recipe = plan.recipe_of(parameters)
        channels = preparation.model_channels(recipe, preparation.parts(recipe))
        counts.append(build.network(recipe, channels).count_params())
        say(f"{_words(parameters)}: {counts[-1]:,} parameters")
    return counts


def _say_what_is_at_work(study: Study) -> None:
    """Name the trials of other processes, which may be those that a killed sweep left behind."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        say(
            f"trial {trial.number} is at work in another process, which ends the table; if that is gone, "
            "repeat the command",
            style="yellow",
        )


def _claim(study: Study, plan: Plan, folder: Path) -> tuple[Trial, ExitStack] | None:
    """Take the next trial, with the lock that says that it is at work; None where there is none left."""
    from optuna.samplers import RandomSampler, TPESampler
    from optuna.trial import TrialState

    with locks.awaited(folder / ".plan.lock"):
        _release_dead(study, plan, folder)
        known = study.get_trials(deepcopy=False)
        waits = any(trial.state == TrialState.WAITING for trial in known)
        begun = sum("repeats" not in trial.user_attrs for trial in known)
        if not waits and (plan.search == "grid" or begun >= plan.trials):
            return None
        # One seed a trial: what is searched is the same again, and no two processes try the same.
        samplers = {"tpe": TPESampler, "random": RandomSampler, "grid": RandomSampler}
        study.sampler = samplers[plan.search](seed=len(known))
        trial = study.ask(_distributions(plan))
        lock = ExitStack()
        lock.enter_context(locks.held(folder / f".trial-{trial.number}.lock", folder))
        return trial, lock


def _distributions(plan: Plan) -> dict[str, BaseDistribution]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    distributions: dict[str, BaseDistribution] = {
        key: CategoricalDistribution(values) for key, values in plan.choices.items()
    }
    for key, (low, high) in plan.ranges.items():
        logarithmic = low > 0 and high >= LOGARITHMIC * low
        kind = IntDistribution if isinstance(low, int) and isinstance(high, int) else FloatDistribution
        distributions[key] = kind(low, high, log=logarithmic)
    return distributions


def _release_dead(study: Study, plan: Plan, folder: Path) -> None:
    """End trials whose process is gone: as complete where their run is, else to be begun once more."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        with locks.tried(folder / f".trial-{trial.number}.lock") as is_free:
            if is_free and not _is_trained(plan, folder, trial):
                _end(study, trial, plan, folder, reason=KILLED, again=True)


def _is_trained(plan: Plan, folder: Path, trial: FrozenTrial) -> bool:
    """Tell whether a trial's run is still at work, though the sweep that began it is gone."""
    runs = _place(folder, trial.params) / plan.recipe_of(trial.params).name
    for run in runs.glob("*"):
        with locks.tried(run / ".lock") as is_free:
            if not is_free:
                return True
    return False


def _run_trial(study: Study, trial: Trial, plan: Plan, folder: Path) -> None:
    """Train one trial in a process of its own, and tell how it ended."""
    if _finished_run(plan, folder, trial.params):  # a search may come back to a point
        return _end(study, trial, plan, folder, reason="", again=False)
    place = _place(folder, trial.params)
    recipe = plan.recipe_of(trial.params)
    place.mkdir(parents=True, exist_ok=True)
    command = _command(plan, trial.params, place, resume=(place / recipe.name).is_dir())
    say(f"trial {trial.number}: {_words(trial.params)}")
    began = time.monotonic()
    with (place / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    code = os.waitstatus_to_exitcode(status)
    trial.set_user_attr("seconds", round(time.monotonic() - began, 1))
    trial.set_user_attr("peak_mib", round(usage.ru_maxrss / environment.MIB))
    killed = code < 0 or code > 128
    again = killed and "repeats" not in trial.user_attrs
    _end(study, trial, plan, folder, reason=KILLED if killed else _last_words(place / "log.txt"), again=again)


def _command(plan: Plan, parameters: dict[str, Any], place: Path, *, resume: bool) -> list[str]:
    """Write the command line of a trial's process."""
    return [
        sys.executable,
        "-m",
        "kerasseg.cli.trial",
        "run",
        plan.recipe,
        *plan.overrides(parameters),
        "--directory",
        str(place),
        *(["--resume"] if resume else []),
    ]


def _end(
    study: Study, trial: Trial | FrozenTrial, plan: Plan, folder: Path, *, reason: str, again: bool
) -> None:
    """Tell the storage how a trial ended, and let one that was killed be begun once more."""
    from optuna.trial import TrialState

    run = _finished_run(plan, folder, trial.params)
    best = history.best(history.read(run / rundirectory.HISTORY)) if run else {}
    if plan.objective in best:
        study.tell(trial.number, best[plan.objective], skip_if_finished=True)
        say(f"trial {trial.number}: {plan.objective} {best[plan.objective]:.4f}, {run.path}")
        return
    if best:
        reason = f"--objective: {unknown('column of history.csv', plan.objective, best)}"
    study.set_user_attr(f"reason {trial.number}", reason)
    study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    say(f"trial {trial.number} failed: {reason}", style="yellow")
    if again and not best:
        study.enqueue_trial(trial.params, user_attrs={**trial.user_attrs, "repeats": trial.number})


def _parameters(trial: FrozenTrial) -> dict[str, Any]:
    """Give a trial's parameters, also while it waits for them."""
    return trial.params or trial.system_attrs.get("fixed_params", {})


def _finished_run(plan: Plan, folder: Path, parameters: dict[str, Any]) -> RunDirectory | None:
    return rundirectory.last_finished(plan.recipe_of(parameters).name, _place(folder, parameters))


def _place(folder: Path, parameters: dict[str, Any]) -> Path:
    """Name the folder of a trial's runs after its parameters, such as ``levels=4,base_filters=32``."""
    words = _words(parameters).replace(" ", ",")
    return folder / "trials" / re.sub(r"[^\w=,.-]", "_", words)


def _words(parameters: dict[str, Any]) -> str:
    """Say a trial's parameters by the last words of their keys."""
    return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in parameters.items())


def _last_words(log: Path) -> str:
    """Give the last line that a process wrote, without the word error."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].removeprefix("error: ") if lines else "it said nothing"


def _report(study: Study, plan: Plan, folder: Path) -> Path:
    """Write the tables and the page of all trials so far; who writes last has seen what all others told."""
    with locks.awaited(folder / ".report.lock"):
        return page.write(folder, folder.name, plan.objective, list(_rows(study, plan, folder)))


def _rows(study: Study, plan: Plan, folder: Path) -> Iterator[page.Trial]:
    """Gather the trials; a repetition stands for the attempts before it."""
    latest = {_words(_parameters(trial)): trial for trial in study.get_trials(deepcopy=False)}
    for trial in latest.values():
        run = _finished_run(plan, folder, _parameters(trial))
        yield page.Trial(
            number=trial.number,
            parameters=_parameters(trial),
            state=trial.state.name.lower(),
            objective=trial.value,
            facts=trial.user_attrs,
            reason=study.user_attrs.get(f"reason {trial.number}", ""),
            run=run and run.path,
        )
