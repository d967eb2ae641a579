"""Who answers for tiles: a run's model in this process or in those of a Dask cluster, or one on a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasseg.commands import reuse
from kerasseg.commands import train as story
from kerasseg.errors import UserError
from kerasseg.inference import backends as engines
from kerasseg.inference.compiling import Forward
from kerasseg.inference.predictor import Predictor
from kerasseg.serving.export import fingerprint
from kerasseg.spec import Metadata


@dataclass(frozen=True)
class Model:
    """What answers, and all that one must know to use it."""

    forward: Forward
    metadata: Metadata
    engine: str = engines.TENSORFLOW  # servers run it too
    elsewhere: Forward | None = None  # what answers in another process; can be pickled


def local(path: Path, engine: str = engines.TENSORFLOW) -> Model:
    """Open a run's model, given as the run's folder or its ``model.keras``, for one of `ENGINES`."""
    compiled = engines.find(engine)
    _, recipe, model = reuse.opened(path)
    told = replace(story.metadata(recipe, model), weights=fingerprint(model))
    return Model(compiled(model), told, engine, Stored(path.resolve(), told.weights, engine))


def served(url: str) -> Model:
    """Find a model on a server, such as ``grpc://localhost:8500/cells``."""
    from kerasseg.inference.server import client  # its packages are an extra

    remote = client.forward(url)
    return Model(remote, remote.metadata)


@dataclass(frozen=True)
class Stored:
    """A run's model that each process opens for itself, once; `weights` is the SHA-256 it must have."""

    path: Path
    weights: str
    engine: str

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Answer for a batch of tiles."""
        return _opened(self)(batch)


@lru_cache(maxsize=1)
def _opened(stored: Stored) -> Forward:
    _, _, model = reuse.opened(stored.path)
    if fingerprint(model) != stored.weights:
        raise UserError(f"{stored.path}: it holds another model than where it was asked for")
    return engines.find(stored.engine)(model)


@contextmanager
def predictor(model: Model, tiles: Mapping[str, Any], scheduler: str | None) -> Iterator[Predictor]:
    """Put a model together with its tiles, here or on a cluster that is left again at the end.

    Parameters
    ----------
    model : Model
    tiles : mapping
        Keyword arguments of `kerasseg.inference.tiled.predicted_bands`.
    scheduler : str or None
        Of a Dask cluster, such as ``tcp://host:8786``; None computes here.

    Yields
    ------
    Predictor
    """
    told = model.metadata
    taken = {"channels": told.channels, "normalise": told.normalise, "resize": told.resize}
    if scheduler is None:
        yield Predictor(model.forward, **taken, tiles=tiles)
        return
    from kerasseg.inference import distributed  # its package is an extra

    with distributed.connected(scheduler) as client:
        tiles = {**tiles, "answering": partial(distributed.answers, client)}
        yield distributed.Distributed(model.elsewhere, **taken, tiles=tiles)
