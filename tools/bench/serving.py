"""How long one batch takes, by each way there is to ask a LinkNet-B0 with attention gates.

    python tools/bench/serving.py [--batch 1] [--rounds 15]

All ways take turns; a ratio is the median of the rounds' ratios to what `kerasseg predict` does by itself.
OpenVINO, gRPC and segmentation_models.pytorch, whose LinkNet has no gates, join if their packages are
installed. `OMP_NUM_THREADS=1 taskset -c 0` gives all of them one core. The servers are those of the tests, on
loopback in this process: what they add is the way there and back, not what TensorFlow Serving would.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.table import Table

from kerasseg.console import console
from kerasseg.inference.backends import ENGINES
from kerasseg.inference.server import client
from kerasseg.recipe.models import Linknet
from kerasseg.serving.signatures import Served

SIZE = (256, 256)
TESTS = Path(__file__).parents[2] / "tests"

Forward = Callable[[np.ndarray], np.ndarray]


def linknet(attention: bool) -> keras.Model:
    """Build the network with random weights, the same ones each time."""
    keras.utils.set_random_seed(0)
    return Linknet(encoder_weights=None, attention=attention).build((None, None, 3), 1)


def local(model: keras.Model) -> dict[str, Forward]:
    """Ways within this process; the first is what others are compared with."""
    engines = [name for name in ENGINES if find_spec(name)]
    ways = {f"--engine {name}": ENGINES[name](model) for name in engines}
    plain = tf.function(lambda batch: model(batch, training=False))
    ways["a plain tf.function"] = lambda batch: plain(batch).numpy()
    ways["without gates"] = ENGINES["tensorflow"](linknet(attention=False))
    ways["model.predict"] = lambda batch: model.predict(batch, verbose=0)
    return ways | ({"smp, eager": smp()} if find_spec("segmentation_models_pytorch") else {})


def smp() -> Forward:
    """Build segmentation_models.pytorch's LinkNet-B0, whose weights are others and whose cost is the same."""
    import segmentation_models_pytorch
    import torch

    model = segmentation_models_pytorch.Linknet("efficientnet-b0", encoder_weights=None, activation="sigmoid")
    model.eval()

    def answer(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(batch.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)

    return answer


def saved(model: keras.Model) -> dict[str, Callable]:
    """Write the model as a SavedModel, and give the signatures of what is loaded."""
    sys.path.append(str(TESTS))
    from specs import spec

    served = Served(model, spec(channels=3, stride=(32, 32)))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(served, folder, signatures=served.signatures())
        return tf.saved_model.load(folder).signatures


def _of_tiles(signature: Callable, batch: np.ndarray) -> np.ndarray:
    return signature(tiles=tf.constant(batch))["probabilities"].numpy()


@contextmanager
def remote(signatures: dict[str, Callable]) -> Iterator[dict[str, Forward]]:
    """Ways over loopback."""
    if not find_spec("tensorflow_serving"):
        yield {}
        return
    sys.path.append(str(TESTS / "serving"))
    from servers import GrpcServer, Models, RestServer

    models = Models("cells", {1: signatures})
    with ExitStack() as stack:
        ways = {}
        for scheme, make in (("grpc", GrpcServer), ("rest", RestServer)):
            server = make(models)
            stack.callback(server.stop)
            ways[f"--server {scheme}"] = client.forward(f"{scheme}://127.0.0.1:{server.port}/cells")
        yield ways


def main() -> None:
    """Let all take turns and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=15)
    given = arguments.parse_args()
    batch = np.random.default_rng(0).random((given.batch, *SIZE, 3), np.float32)
    model = linknet(attention=True)
    signatures = saved(model)
    with remote(signatures) as distant:
        ways = {**local(model), "SavedModel": partial(_of_tiles, signatures["tiles"]), **distant}
        answers = [way(batch) for way in ways.values()]  # compiles and traces
        times = np.array([[timed(way, batch) for way in ways.values()] for _ in range(given.rounds)])
    show(list(ways), answers, times)


def timed(way: Forward, batch: np.ndarray) -> tuple[float, float]:
    """Tell seconds, and seconds of all processors' time that this process took."""
    began, computed = time.perf_counter(), time.process_time()
    way(batch)
    return time.perf_counter() - began, time.process_time() - computed


def show(names: list[str], answers: list[np.ndarray], times: np.ndarray) -> None:
    """Print medians, ratios to the first way and distances from its answers; `times` is (rounds, ways, 2)."""
    table = Table("", "ms", "ratio", "of processors, ms", "ratio", "difference")
    medians, ratios = np.median(times, axis=0) * 1e3, np.median(times / times[:, :1], axis=0)
    for name, answer, (wall, cpu), (longer, dearer) in zip(names, answers, medians, ratios, strict=True):
        far = f"{np.abs(answer - answers[0]).max():.1g}"
        table.add_row(name, f"{wall:.0f}", f"{longer:.2f}", f"{cpu:.0f}", f"{dearer:.2f}", far)
    console.print(table)
    console.print("a ratio is a way's time over the first one's; processor time says more on a busy machine")


if __name__ == "__main__":
    main()
