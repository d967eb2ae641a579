"""OpenVINO computes a model's answers on a CPU, and what a run keeps for it needs no TensorFlow.

OpenVINO is one Apache-2.0 package that converts the traced network in memory. A run's folder holds what was
converted, ``openvino/``: the network, and facts that say of which weights it is, what its files' SHA-256 are,
how far its answers are from the Keras model's, and how long both took. With it an image is answered before
TensorFlow would have started.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.console import say
from kerasseg.errors import UserError
from kerasseg.files import folder_atomically, read_json, sha256, write_atomically, write_json
from kerasseg.inference.forward import Forward, compared, forward, in_float32, traced
from kerasseg.inference.tiling import round_up
from kerasseg.runs.rundirectory import OPENVINO as FOLDER
from kerasseg.spec import ModelSpec
from kerasseg.startup import needed

if TYPE_CHECKING:
    from types import ModuleType

    import keras
    import openvino

NETWORK, FACTS = "network.xml", "facts.json"
SPEC = "kerasseg"  # the name under which a network carries its `ModelSpec`
ROUNDS = 5  # in which both engines are timed; the shortest counts
DEARER = 1.5  # times as much a tile may cost: to start seconds sooner is worth some hundred tiles
GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, and either's under Windows


def on_openvino(model: keras.Model) -> Forward:
    """Compile a Keras model with OpenVINO, once, for batches of every shape that it takes.

    Answers are those of TensorFlow but for rounding: some 1e-6, see `tools/bench/serving.py`.

    Parameters
    ----------
    model : keras.Model
        Of one input and one output. Its weights are copied now.

    Returns
    -------
    Forward
        To be called from one thread at a time.

    Raises
    ------
    UserError
        If OpenVINO is not installed.
    """
    return compiled(converted(model))


def converted(model: keras.Model) -> openvino.Model:
    """Convert a Keras model for OpenVINO; it takes `image` and gives `probabilities`, in float32."""
    from kerasseg.inference.folding import folded  # imports Keras

    openvino = imported()
    graph = traced(folded(in_float32(model))).get_concrete_function()
    # Weights that are shared would vanish with the folded model, which nobody else holds.
    network = openvino.convert_model(graph, share_weights=False)
    answer = network.output(graph.outputs[0].name)  # others are what Keras' silu keeps for its gradient
    network = openvino.Model([answer.node], network.get_parameters())
    network.input(0).tensor.set_names({"image"})
    network.output(0).tensor.set_names({"probabilities"})
    return network


def compiled(network: openvino.Model | Path) -> Forward:
    """Compile what OpenVINO holds, or what it reads: its own ``.xml``, or ``.onnx``."""
    exactly = {"INFERENCE_PRECISION_HINT": "f32"}  # it is bfloat16 by itself where a processor has that
    answers = imported().compile_model(network, "CPU", exactly)
    return lambda batch: answers(np.ascontiguousarray(batch))[0]


def imported(package: str = "openvino", extra: str = "openvino") -> ModuleType:
    """Import OpenVINO, or what belongs to it, without telemetry, which would report every import to Intel.

    Where that package is missing, they do without; to them, it is missing now.
    """
    sys.modules.setdefault("openvino_telemetry", None)
    return needed(package, extra)


def write(model: keras.Model, path: Path, spec: ModelSpec) -> float:
    """Write a model as OpenVINO's ``.xml``, with its specification, and the weights as ``.bin`` beside it.

    Parameters
    ----------
    model : keras.Model
        Of one input and one output.
    path : Path
        The file, ``.xml``.
    spec : ModelSpec

    Returns
    -------
    float
        How far its probabilities are at most from the Keras model's.

    Raises
    ------
    UserError
        If OpenVINO is missing, or the difference is more than rounding.
    """
    network = converted(model)
    network.set_rt_info(spec.to_json(), SPEC)
    with write_atomically(path) as temporary, write_atomically(path.with_suffix(".bin")) as weights:
        imported().save_model(network, temporary, compress_to_fp16=False)
        temporary.with_suffix(".bin").rename(weights)
        return compared(compiled(temporary), in_float32(model), spec, path)


def keep(model: keras.Model, spec: ModelSpec, run: Path) -> dict[str, Any]:
    """Keep beside a run's Keras model what OpenVINO reads; it is compared, and both are timed.

    Parameters
    ----------
    model : keras.Model
        The run's.
    spec : ModelSpec
    run : Path
        The run's folder; its ``openvino/`` appears complete or not at all, and replaces one that is there.

    Returns
    -------
    dict
        ``weights``, ``files`` with the SHA-256 of each, ``largest_difference`` of two probabilities, and
        the processor's ``seconds`` of each engine for one tile.

    Raises
    ------
    UserError
        If the folder cannot be written, or what was converted answers otherwise.
    """
    with folder_atomically(run / FOLDER) as folder:
        difference = write(model, folder / NETWORK, spec)
        facts = {
            **identity(folder, spec.weights),
            "largest_difference": difference,
            "seconds": seconds_for_a_tile(
                {"tensorflow": forward(model), "openvino": compiled(folder / NETWORK)}, spec
            ),
        }
        write_json(folder / FACTS, facts)
    return facts


def identity(folder: Path, weights: str) -> dict[str, Any]:
    """Say of which weights a network in a folder is, and what the SHA-256 of its files are."""
    return {"weights": weights, "files": {path.name: sha256(path) for path in _files(folder)}}


def size(folder: Path) -> int:
    """Count the bytes of a network in a folder."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in (".xml", ".bin"))


def seconds_for_a_tile(engines: Mapping[str, Forward], spec: ModelSpec) -> dict[str, float]:
    """Time engines in turns on one tile as the specification wants it: the shortest of `ROUNDS` of each.

    It is the processor's time, summed over its cores, which other work on the machine hardly changes.
    """
    sides = np.broadcast_to(spec.tiling.tile, spec.rank)
    size = (round_up(int(side), step) for side, step in zip(sides, spec.stride, strict=True))
    tile = np.random.default_rng(0).random((1, *size, spec.channels + spec.beside), np.float32)
    times = {name: [] for name in engines}
    for _ in range(1 + ROUNDS):
        for name, answer in engines.items():
            began = time.process_time()
            answer(tile)
            times[name].append(time.process_time() - began)
    return {name: round(min(rounds[1:]), 4) for name, rounds in times.items()}  # the first compiles


def opened(run: Path, spec: ModelSpec, load: Callable[[], keras.Model]) -> Forward:
    """Open a run's network with OpenVINO: what is kept, or else its Keras model, which is kept from now on.

    Parameters
    ----------
    run : Path
        The run's folder, or where a shipped model's results are.
    spec : ModelSpec
    load : callable
        Loads its Keras model.

    Raises
    ------
    UserError
        If OpenVINO is missing, or what was converted answers otherwise than the Keras model.
    """
    if is_whole(run / FOLDER, spec.weights):
        with suppress(RuntimeError):  # of a version of OpenVINO that does not read what a newer one wrote
            return compiled(run / FOLDER / NETWORK)
    model = load()
    try:
        facts = keep(model, spec, run)
    except UserError as error:  # where nothing can be written, the answers are as good
        answer = on_openvino(model)
        compared(answer, in_float32(model), spec, run)
        say(f"nothing is kept for the next time: {error}", style="yellow")
        return answer
    say(f"kept for the next time: {summary(facts)}")
    return compiled(run / FOLDER / NETWORK)


def kept(folder: Path, weights: str) -> dict[str, Any] | None:
    """Read the facts of what a run keeps in a folder; None where that is nothing, or of other weights."""
    try:
        facts = read_json(folder / FACTS)
    except UserError:
        return None
    return facts if isinstance(facts, dict) and facts.get("weights") == weights else None


def is_whole(folder: Path, weights: str) -> bool:
    """Tell whether a kept network is there, of these weights, and as it was written."""
    facts = kept(folder, weights)
    return facts is not None and all(_is(folder / name, digest) for name, digest in facts["files"].items())


def is_best(run: Path, weights: str) -> bool:
    """Tell whether OpenVINO is what answers soonest here: it is kept, installed, was fast, and has no rival.

    Where it was measured there may have been no GPU, by which TensorFlow is faster.
    """
    facts = kept(run / FOLDER, weights)
    if not facts or not find_spec("openvino") or _has_gpu():
        return False
    return facts["seconds"]["openvino"] <= DEARER * facts["seconds"]["tensorflow"]


def summary(facts: Mapping[str, Any]) -> str:
    """Say in a line what was found when a network was kept."""
    engines = {name: f"{1e3 * seconds:.0f} ms" for name, seconds in facts["seconds"].items()}
    return (
        f"a tile takes OpenVINO {engines['openvino']} of the processor, TensorFlow {engines['tensorflow']}; "
        f"their probabilities differ by {facts['largest_difference']:.2g} at most"
    )


def _has_gpu() -> bool:
    """Tell whether TensorFlow may find a GPU, without importing it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all") not in ("", "-1")
    return visible and any(map(os.path.exists, GPUS))


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest
