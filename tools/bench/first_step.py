"""A training from the start of its process until its first step is done, stage by stage.

    export OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
    python tools/bench/first_step.py [--rounds 5]

It is that of LinkNet-B0 with random weights, batch 8, 256 x 256. Seconds are the processor's, and medians of
rounds, each of them a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np

BATCH = (8, 256, 256, 3)


def measured_apart() -> dict[str, float]:
    """Time the stages of a training's start in a process of its own."""
    command = [sys.executable, __file__, "--once"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return json.loads(answer.stdout.splitlines()[-1])


def first_step() -> dict[str, float]:
    """Be that process: import, build, trace and train."""
    stages: dict[str, float] = {"Python": time.process_time()}

    def stage(name: str, work: Callable[[], object]) -> object:
        began = time.process_time()
        result = work()
        stages[name] = time.process_time() - began
        return result

    recipe = stage("import of recipes", _import_recipe)
    stage("import of TensorFlow and Keras", _import_tensorflow)
    stage("import of models and training", _import_models)
    model = stage("model", lambda: recipe.models.Linknet(encoder_weights=None).build(BATCH[1:], 1))
    engine = stage("engine and optimiser", lambda: _engine(recipe, model))
    batch, step = _batch(), _step(engine)
    stage("trace", lambda: step.get_concrete_function(batch))
    with _graphs_as_traced():
        stage("first step", lambda: step(batch))
        stage("a later step", lambda: step(batch))
    return stages


def _import_tensorflow() -> None:
    from kerasseg.startup import start_tensorflow

    start_tensorflow()
    import keras  # noqa: F401


def _import_recipe() -> object:
    import kerasseg.recipe.models
    import kerasseg.recipe.train

    return kerasseg.recipe


def _import_models() -> None:
    import kerasseg.models.linknet
    import kerasseg.training.loop
    import kerasseg.training.supervised  # noqa: F401


def _engine(recipe: object, model: object) -> object:
    train = recipe.train
    losses = {"loss": train.Combo().build(), "optimizer": train.Adam().build()}
    return train.Supervised().build(model, **losses, threshold=0.5, activation="sigmoid", landscape=False)


def _step(engine: object) -> Callable[..., object]:
    from kerasseg.training.loop import steps_of

    return steps_of(engine)[0]


def _graphs_as_traced() -> AbstractContextManager:
    from kerasseg.training.devices import graphs_as_traced

    return graphs_as_traced()


def _batch() -> tuple[object, object]:
    import tensorflow as tf

    images = np.random.default_rng(0).random(BATCH, np.float32)
    return tf.constant(images), tf.constant((images[..., :1] > 0.5).astype(np.uint8))


def main() -> None:
    """Measure in rounds, and print medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.once:
        print(json.dumps(first_step()))
        return
    rounds = [measured_apart() for _ in range(given.rounds)]
    for name in rounds[0]:
        print(f"{name:34}{statistics.median(each[name] for each in rounds):9.2f} s")


if __name__ == "__main__":
    main()
