"""What a model runs on and in which precision, chosen by what is there and said in the open.

On a CPU: float32, no XLA, oneDNN (which `kerasseg` switches on before TensorFlow is imported). Measured for
LinkNet on two cores: oneDNN makes a training step 0.63 times as long, XLA 3.9 times and bfloat16 7.9 times.
On a GPU: half precision where the hardware multiplies it faster, with the model's head and the loss in
float32.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasseg.console import say
from kerasseg.errors import Fallback, UserError, flattened, unknown
from kerasseg.training import rendezvous

FIRST_PORT, PORTS = 15000, 15000  # of Slurm's jobs, below those that systems give away
MOST_SENT = 1 << 24  # numbers in one message
PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
DEVICES = ("auto", "cpu", "mirrored", "workers")


@dataclass(frozen=True)
class Setting:
    """What was chosen.

    Parameters
    ----------
    devices : tuple of str
        What computes, by TensorFlow's logical names, such as ``"GPU:0"``.
    description : str
        What the hardware calls itself.
    precision : str
        Keras' name of the policy.
    onednn, xla : bool
        Whether each is on.
    strategy : tf.distribute.Strategy
        Under whose `scope` a model is to be built.
    """

    devices: tuple[str, ...]
    description: str
    precision: str
    onednn: bool
    xla: bool
    strategy: tf.distribute.Strategy

    def scope(self) -> AbstractContextManager:
        """Context in which to build a model."""
        return self.strategy.scope()

    def facts(self) -> dict[str, object]:
        """The choice in words, numbers and booleans, for a log or ``environment.json``."""
        return {
            "devices": list(self.devices),
            "description": self.description,
            "precision": self.precision,
            "onednn": self.onednn,
            "xla": self.xla,
        }

    def __str__(self) -> str:
        switches = f"oneDNN {_on(self.onednn)}, XLA {_on(self.xla)}"
        return f"{', '.join(self.devices)} ({self.description}), {self.precision}, {switches}"


def configure(precision: str = "auto", devices: str = "auto") -> Setting:
    """Choose devices and precision, and make them Keras' own for the models built from here on.

    Parameters
    ----------
    precision : {"auto", "float32", "mixed_float16", "mixed_bfloat16"}
        ``"auto"`` is float32 on a CPU, and half precision on GPUs whose tensor cores have it.
    devices : {"auto", "cpu", "mirrored"}
        ``"auto"`` takes all GPUs, or the CPU where there is none; ``"mirrored"`` asks for GPUs. Several share
        every batch.

    Returns
    -------
    Setting
        What was chosen.

    Warns
    -----
    Fallback
        If GPUs were asked for and there is none.

    Raises
    ------
    UserError
        If a name is unknown, or is ``"workers"``, which are for `join`.
    """
    _check(precision, devices)
    if devices == "workers":
        raise UserError(
            "train.devices: workers is for kerasseg run and one recipe, and this computes in one process; "
            "set it to auto"
        )
    names = _choose(devices)
    return _setting(precision, names, share(names))


def _setting(precision: str, names: tuple[str, ...], strategy: tf.distribute.Strategy) -> Setting:
    precision = _precision(names) if precision == "auto" else precision
    on_cpu = names[0].startswith("CPU")
    if on_cpu and precision != "float32":
        warnings.warn(
            f"train.precision: {precision} is about 8 times slower than float32 on a CPU", stacklevel=2
        )
    keras.config.set_dtype_policy(precision)
    return Setting(names, _description(on_cpu), precision, _onednn() and on_cpu, False, strategy)


def share(names: Sequence[str]) -> tf.distribute.Strategy:
    """Make the strategy that gives each device its part of every batch; a single one needs none.

    Parameters
    ----------
    names : sequence of str
        Logical names of devices, such as ``"GPU:0"``.

    Returns
    -------
    tf.distribute.Strategy
        With its default reduction TensorFlow 2.21 takes one replica's gradient for another's batch statistics
        (seen on two logical CPUs, with Keras alone); summing on one device does not.
    """
    if len(names) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(names, tf.distribute.ReductionToOneDevice())


def join(precision: str = "auto") -> Setting:
    """Become one of the processes that ``TF_CONFIG``, or Slurm, says are to share every batch; wait for all.

    Parameters
    ----------
    precision : {"auto", "float32", "mixed_float16", "mixed_bfloat16"}
        As for `configure`.

    Returns
    -------
    Setting
        Of this process, which computes on one device.

    Raises
    ------
    UserError
        If nothing says which processes there are, TF_CONFIG is not one, several GPUs are seen, or they do not
        meet: see `kerasseg.training.rendezvous.meet`.
    """
    names = _choose("workers")
    if len(names) > 1:
        raise UserError(
            f"train.devices: workers computes on one GPU in each process, and this one sees {len(names)}: "
            "start one process for each, and set CUDA_VISIBLE_DEVICES to its GPU"
        )
    resolver = _cluster()
    addresses = resolver.cluster_spec().as_dict().get("worker", [])
    say(f"worker {resolver.task_id} of {len(addresses)} waits for the others: {', '.join(addresses)}")
    rendezvous.meet(addresses, resolver.task_id)
    return _setting(precision, names, tf.distribute.MultiWorkerMirroredStrategy(resolver))


def _cluster() -> tf.distribute.cluster_resolver.ClusterResolver:
    """Find out which processes there are, and which this one is."""
    if "TF_CONFIG" in os.environ:
        _check_cluster(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if "SLURM_PROCID" in os.environ:
        cluster = tf.train.ClusterSpec({"worker": _tasks_of_slurm(os.environ)})
        number = int(os.environ["SLURM_PROCID"])
        return tf.distribute.cluster_resolver.SimpleClusterResolver(
            cluster, task_type="worker", task_id=number
        )
    raise UserError(
        "train.devices: workers needs TF_CONFIG, or to be started by Slurm's srun, to know of the other "
        "processes; neither is there, see docs/workers.md"
    )


def _tasks_of_slurm(variables: Mapping[str, str]) -> list[str]:
    """List where the tasks of a step of Slurm's listen, by their numbers, which come machine by machine.

    TensorFlow's own ``SlurmClusterResolver`` fails without GPUs, and takes node10 to come before node9.
    """
    command = ["scontrol", "show", "hostnames", variables["SLURM_STEP_NODELIST"]]
    hosts = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    runs = re.findall(r"(\d+)(?:\(x(\d+)\))?", variables["SLURM_STEP_TASKS_PER_NODE"])  # "2(x3),1"
    tasks = [int(count) for count, times in runs for _ in range(int(times or 1))]
    port = FIRST_PORT + int(variables["SLURM_JOB_ID"]) % PORTS  # jobs may share a machine
    return [f"{host}:{port + i}" for host, count in zip(hosts, tasks, strict=True) for i in range(count)]


@contextmanager
def if_lost() -> Iterator[None]:
    """Say so where another worker is gone, without which none can go on.

    Raises
    ------
    UserError
        Instead of what TensorFlow's collective operations raise: a killed process is noticed after some ten
        seconds, by the heartbeats that it lacks.
    """
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise UserError(
            "another worker has ended, or cannot be reached, and no batch is complete without it; see what "
            "it printed. Once it can run again, repeat the command on all workers: with --resume if an epoch "
            "was completed, and all go on after that"
        ) from error


def place(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """Give the number of this process among those that share every batch, and how many they are.

    Number 0 is the chief, which alone writes; a strategy of one machine gives ``(0, 1)``.
    """
    resolver = strategy.cluster_resolver
    if resolver is None:
        return 0, 1
    return resolver.task_id, resolver.cluster_spec().num_tasks("worker")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Tell whether this process is the one that writes."""
    return place(strategy)[0] == 0


def distributed(strategy: tf.distribute.Strategy, dataset: tf.data.Dataset) -> Iterable:
    """Share batches among this process's devices; those of `join` have one each, and their share already."""
    return dataset if place(strategy)[1] > 1 else strategy.experimental_distribute_dataset(dataset)


@contextmanager
def graphs_as_traced() -> Iterator[None]:
    """Keep TensorFlow's optimiser of graphs away from training steps.

    On a CPU it takes longer than it saves: without it LinkNet's first step is ready seconds sooner, and the
    next ones take as long. On a GPU it chooses layouts, so only its remapping goes, which on both makes one
    operation of a batch normalisation and its ReLU that turns what is no number into 0, and so hides that a
    training diverges.
    """
    on_gpu = bool(tf.config.get_visible_devices("GPU"))
    switch, usual = ("remapping", True) if on_gpu else ("disable_meta_optimizer", False)
    tf.config.optimizer.set_experimental_options({switch: not usual})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({switch: usual})


def from_chief(strategy: tf.distribute.Strategy, content: Callable[[], bytes]) -> bytes:
    """Give every worker what the chief has; all must call it, and `content` is called on the chief alone."""
    worker, workers = place(strategy)
    if workers == 1:
        return content()
    sent = b"" if worker else content()
    total = partial(_total, strategy)
    length = int(total(np.int64(len(sent))))
    words = np.zeros(-(-length // 4), np.int32)  # collectives know no bytes
    words.view(np.uint8)[: len(sent)] = np.frombuffer(sent, np.uint8)
    parts = [total(words[i : i + MOST_SENT]) for i in range(0, len(words), MOST_SENT)]
    return b"".join(part.tobytes() for part in parts)[:length]


def agree(strategy: tf.distribute.Strategy, facts: Mapping[str, Any]) -> None:
    """Refuse to go on where a worker was told something else than the chief; all must call it.

    Parameters
    ----------
    strategy : tf.distribute.Strategy
    facts : mapping
        What must be the same on all, in JSON's types.

    Raises
    ------
    UserError
        On all workers; on those that differ it says in what.
    """
    worker, workers = place(strategy)
    chief = flattened(json.loads(from_chief(strategy, lambda: json.dumps(facts).encode())))
    own = flattened(json.loads(json.dumps(facts)))
    different = [key for key in sorted(own.keys() | chief.keys()) if own.get(key) != chief.get(key)]
    flags = _total(strategy, np.eye(workers, dtype=np.int32)[worker] * bool(different))
    if different:
        raise UserError(
            f"worker {worker} differs from worker 0; start all with the same recipe, data and versions",
            *(f"{key}: {own.get(key)!r} here, {chief.get(key)!r} on worker 0" for key in different),
        )
    if flags.any():
        numbers = ", ".join(map(str, np.flatnonzero(flags)))
        raise UserError(
            f"other recipe, data or versions on worker {numbers} than on worker 0; see what was printed there"
        )


def _total(strategy: tf.distribute.Strategy, numbers: np.ndarray) -> np.ndarray:
    """Add up what all workers have."""
    return strategy.reduce("SUM", tf.constant(numbers), axis=None).numpy()


def _check_cluster(config: str) -> None:
    """Look at a TF_CONFIG before TensorFlow does, which waits for what is not there, or dies of it."""
    example = '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
    try:
        given = json.loads(config)
        workers, task = given["cluster"]["worker"], given["task"]
        right = set(given["cluster"]) == {task["type"]} == {"worker"} and task["index"] in range(len(workers))
        right = right and len({*workers}) == len(workers) and all(map(_is_address, workers))
    except (ValueError, KeyError, TypeError):
        right = False
    if not right:
        raise UserError(
            f"TF_CONFIG is {config!r}; expected {example}, each address once, each worker's own index"
        )


def _is_address(text: str) -> bool:
    """Tell a host and a port, of which TensorFlow takes also those that there are not."""
    found = re.fullmatch(r"(?:[^:\s]+|\[[^]\s]+\]):(\d{1,5})", text)
    return bool(found) and 0 < int(found[1]) < 1 << 16


def _check(precision: str, devices: str) -> None:
    mistakes = []
    if precision not in PRECISIONS:
        mistakes.append(f"train.precision: {unknown('precision', precision, PRECISIONS)}")
    if devices not in DEVICES:
        mistakes.append(f"train.devices: {unknown('devices', devices, DEVICES)}")
    if mistakes:
        raise UserError(*mistakes)


def _choose(devices: str) -> tuple[str, ...]:
    if devices == "cpu":
        tf.config.set_visible_devices([], "GPU")
    gpus = tf.config.get_visible_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if devices == "mirrored" and not gpus:
        warnings.warn(
            "train.devices: mirrored needs GPUs and there is none: using the CPU", Fallback, stacklevel=3
        )
    return tuple(f"GPU:{index}" for index in range(len(gpus))) or ("CPU:0",)


def _precision(names: tuple[str, ...]) -> str:
    """bfloat16 needs no loss scaling; it is fast from compute capability 8.0 (Ampere), float16 from 7.0."""
    if names[0].startswith("CPU"):
        return "float32"
    capability = min(
        _details(gpu).get("compute_capability", (0, 0)) for gpu in tf.config.get_visible_devices("GPU")
    )
    if capability >= (8, 0):
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= (7, 0) else "float32"


def _description(on_cpu: bool) -> str:
    if on_cpu:
        return f"{os.cpu_count()} cores"
    return ", ".join(
        sorted({_details(gpu).get("device_name", "GPU") for gpu in tf.config.get_visible_devices("GPU")})
    )


def _details(gpu: tf.config.PhysicalDevice) -> dict:
    return tf.config.experimental.get_device_details(gpu)


def _onednn() -> bool:
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"


def _on(value: bool) -> str:
    return "on" if value else "off"
