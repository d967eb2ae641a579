"""Many workers that share every batch learn what one process does; how they are told of each other."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import agreeing
import numpy as np
import pytest
import tensorflow as tf
import workers

from kerasseg.errors import UserError
from kerasseg.training import devices, history

PAGE = Path(__file__).parents[2] / "docs" / "workers.md"


def addresses() -> list[str]:
    """Two addresses of this machine that are free now."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return [f"127.0.0.1:{server.getsockname()[1]}" for server in (one, other)]


def launched(directory: Path, *arguments: str, program: ModuleType = workers) -> list[subprocess.Popen]:
    """Start two workers, the second with arguments; what each prints stands in ``DIRECTORY/N.txt``."""
    cluster, processes = {"worker": addresses()}, []
    for index in (0, 1):
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {"TF_CONFIG": json.dumps(config), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, program.__file__, directory / str(index)]
        command += arguments if index == 1 else []
        with (directory / f"{index}.txt").open("w") as file:
            streams = {"stdout": file, "stderr": subprocess.STDOUT}
            processes.append(subprocess.Popen(command, env=os.environ | environment, **streams))
    return processes


def test_two_workers_of_which_one_is_killed_in_between_learn_what_one_process_does(tmp_path):
    for index in ("0", "1"):
        for name in workers.ENGINES:
            (tmp_path / index / name).mkdir(parents=True)

    chief, other = launched(tmp_path, str(2 * workers.STEPS + 8))  # it is ahead by some batches
    assert other.wait(timeout=120) == -9
    assert chief.wait(timeout=60) == 1
    assert "another worker has ended" in (tmp_path / "0.txt").read_text()
    assert 0 < len(history.read(tmp_path / "0" / "supervised" / "history.csv")) < workers.EPOCHS

    processes, alone = launched(tmp_path), tf.distribute.get_strategy()
    expected = {name: workers.learn(name, tmp_path / name, alone) for name in workers.ENGINES}
    for process in processes:
        assert process.wait(timeout=120) == 0, (tmp_path / "0.txt").read_text()
    for name in workers.ENGINES:
        with np.load(tmp_path / "0" / name / "weights.npz") as weights:
            for ours, theirs in zip(weights.values(), expected[name], strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
        assert not (tmp_path / "1" / name / "history.csv").exists()


def test_workers_that_were_told_different_things_end_and_say_so(tmp_path):
    for process in launched(tmp_path, "more", program=agreeing):
        assert process.wait(timeout=60) == 1
    said = [(tmp_path / f"{index}.txt").read_text() for index in (0, 1)]
    assert "other recipe, data or versions on worker 1 than on worker 0" in said[0]
    assert "worker 1 differs from worker 0" in said[1]
    assert "recipe.seed: 3 here, 2 on worker 0" in said[1]


def lines(language: str, number: int) -> str:
    """The launch lines of the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)[number]


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Programs by which a launch line is looked at: each worker writes down what it is told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    keep = "import json, os, pathlib, sys, uuid\nname = f'{uuid.uuid4()}.json'\n"
    keep += "pathlib.Path(name).write_text(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
    program(folder, "kerasseg", f"#!{sys.executable}\n{keep}")
    program(folder, "ssh", '#!/bin/bash\nexec bash -c "$2"\n')
    program(folder, "scontrol", "#!/bin/bash\nprintf 'node9\\nnode10\\n'\n")
    tasks = 'for SLURM_PROCID in 0 1 2; do export SLURM_PROCID; "${@:5}"; done'
    program(folder, "srun", f"#!/bin/bash\n{tasks}\n")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(folder: Path) -> list[dict[str, str]]:
    """The environments of all workers that were started with the right command."""
    kept = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert {tuple(arguments) for arguments, _ in kept} == {("run", "cells.yaml", "train.devices=workers")}
    return [environment for _, environment in kept]


def clusters(environments: list[dict[str, str]], monkeypatch) -> dict[int, list[str]]:
    """What each worker takes for the addresses of all, by its number."""
    understood = {}
    for environment in environments:
        for name in ("TF_CONFIG", "SLURM_PROCID"):
            monkeypatch.delenv(name, raising=False)
            if name in environment:
                monkeypatch.setenv(name, environment[name])
        resolver = devices._cluster()
        understood[resolver.task_id] = resolver.cluster_spec().as_dict()["worker"]
    return understood


def test_the_page_s_lines_for_ssh_tell_each_worker_who_it_is(stand_ins, monkeypatch):
    subprocess.run(["bash", "-c", lines("bash", 1)], check=True)
    expected = ["alpha:15000", "beta:15000"]
    assert clusters(told(stand_ins), monkeypatch) == {0: expected, 1: expected}


def test_the_page_s_line_for_slurm_tells_each_worker_who_it_is(stand_ins, monkeypatch):
    variables = {"SLURM_STEP_NODELIST": "node[9-10]", "SLURM_STEP_TASKS_PER_NODE": "2,1", "SLURM_JOB_ID": "7"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    subprocess.run(["bash", "-c", lines("bash", 0)], check=True)
    expected = ["node9:15007", "node9:15008", "node10:15007"]
    assert clusters(told(stand_ins), monkeypatch) == {0: expected, 1: expected, 2: expected}


@pytest.mark.parametrize(
    "config",
    [
        "worker",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:65536"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": [1]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_what_is_no_cluster_of_workers_is_refused_before_tensorflow_waits_for_it(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match="TF_CONFIG is"):
        devices.join()


def test_without_a_cluster_it_is_said_where_one_may_come_from(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(UserError, match="see docs/workers"):
        devices.join()


def test_other_verbs_refuse_workers():
    with pytest.raises(UserError, match="kerasseg run"):
        devices.configure(devices="workers")
