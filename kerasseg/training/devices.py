"""What a model runs on and in which precision, chosen by what is there and said in the open.

On a CPU: float32, no XLA, oneDNN (which `kerasseg` switches on before TensorFlow is imported). Measured for
LinkNet on two cores: oneDNN makes a training step 0.63 times as long, XLA 3.9 times and bfloat16 7.9 times.
On a GPU: half precision where the hardware multiplies it faster, with the model's head and the loss in
float32.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import keras
import tensorflow as tf

from kerasseg.errors import Fallback, UserError, unknown

PRECISIONS = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
DEVICES = ("auto", "cpu", "mirrored")


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
        If a name is unknown.
    """
    _check(precision, devices)
    names = _choose(devices)
    precision = _precision(names) if precision == "auto" else precision
    on_cpu = names[0].startswith("CPU")
    if on_cpu and precision != "float32":
        warnings.warn(
            f"train.precision: {precision} is about 8 times slower than float32 on a CPU", stacklevel=2
        )
    keras.config.set_dtype_policy(precision)
    return Setting(names, _description(on_cpu), precision, _onednn() and on_cpu, False, share(names))


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
