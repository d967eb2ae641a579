"""A run's network in int8: on CPUs that multiply bytes it answers sooner, and nearly the same.

NNCF, an Apache-2.0 package of OpenVINO's, rounds weights to bytes, and by what the network computes for some
training tiles it finds the range that each layer's bytes are to span. What comes of it is kept in the run's
folder, ``int8/``, beside the network in full that it is made of; how good both are, its facts say.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseg.errors import Blocked, UserError
from kerasseg.files import folder_atomically, write_json
from kerasseg.inference import openvino
from kerasseg.inference.forward import Forward
from kerasseg.inference.openvino import FACTS, NETWORK
from kerasseg.runs.rundirectory import INT8 as FOLDER
from kerasseg.runs.rundirectory import OPENVINO

if TYPE_CHECKING:
    from types import ModuleType

    from openvino import Model


def imported() -> ModuleType:
    """Import NNCF; see `kerasseg.inference.openvino.imported`."""
    return openvino.imported("nncf", "int8")


def quantised(network: Path, tiles: Sequence[np.ndarray]) -> Model:
    """Round a network's weights and what it computes to int8.

    Parameters
    ----------
    network : Path
        OpenVINO's ``.xml``.
    tiles : sequence of numpy.ndarray, (1, ..., C) float32
        What the network is shown, by which ranges are found.

    Returns
    -------
    openvino.Model
        It takes and gives float32.

    Raises
    ------
    UserError
        If OpenVINO or NNCF is not installed.
    """
    nncf = imported()
    nncf.set_log_level(logging.ERROR)
    model = openvino.imported().Core().read_model(network)
    return nncf.quantize(model, nncf.Dataset(tiles), subset_size=len(tiles))


def keep(network: Model, run: Path, weights: str, facts: Mapping[str, Any]) -> None:
    """Keep a quantised network in a run's folder.

    Parameters
    ----------
    network : openvino.Model
    run : Path
        Its ``int8/`` appears complete or not at all, and replaces one that is there.
    weights : str
        SHA-256 of the weights that it is made of.
    facts : mapping
        What is known of it, for its ``facts.json``, which also tells the ``bytes`` of both networks.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    with folder_atomically(run / FOLDER) as folder:
        openvino.imported().save_model(network, folder / NETWORK, compress_to_fp16=False)
        sizes = {name: openvino.size(place) for name, place in (("full", run / OPENVINO), ("int8", folder))}
        write_json(folder / FACTS, {**openvino.identity(folder, weights), "bytes": sizes, **facts})


def check(run: Path, weights: str) -> None:
    """Refuse a run that keeps no network in int8, or one of other weights."""
    if openvino.kept(run / FOLDER, weights) is None:
        raise UserError(
            f"{run / FOLDER}: there is no network in int8 of these weights; kerasseg quantise makes it"
        )


def opened(run: Path, weights: str) -> Forward:
    """Open what a run keeps.

    Raises
    ------
    UserError
        If OpenVINO is not installed; `Blocked` if there is nothing of these weights, or it is damaged.
    """
    folder, again = run / FOLDER, "make it again by kerasseg quantise"
    if not openvino.is_whole(folder, weights):
        raise Blocked(f"{folder}: it is damaged, or of other weights; {again}")
    try:
        return openvino.compiled(folder / NETWORK)
    except RuntimeError as error:
        raise Blocked(f"{folder}: this version of OpenVINO cannot read it; {again}") from error
