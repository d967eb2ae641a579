"""A model on several devices: each answers for its part of a batch, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from kerasseg.inference.compiling import Forward, compiled


def replicated(model: keras.Model, devices: Sequence[str]) -> Forward:
    """Compile a model for every device, with weights of its own there.

    Parameters
    ----------
    model : keras.Model
        Functional. Its weights are copied now.
    devices : sequence of str
        Names of logical devices, such as ``"/device:GPU:1"``.

    Returns
    -------
    callable
        From a batch (B, ..., C) float32 to (B, ..., K), in the order of the batch; no device waits for
        another but at the end.
    """
    answers = [compiled(_copied(model, device), device) for device in devices]
    threads = ThreadPoolExecutor(len(devices), thread_name_prefix="device")

    def answer(batch: np.ndarray) -> np.ndarray:
        parts = np.array_split(batch, min(len(devices), len(batch)))
        return np.concatenate(list(threads.map(lambda each, part: each(part), answers, parts)))

    return answer


def _copied(model: keras.Model, device: str) -> keras.Model:
    with tf.device(device):
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
    return copy
