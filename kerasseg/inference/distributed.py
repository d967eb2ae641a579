"""Tiles answered by the workers of a Dask cluster, byte for byte as they would be answered here.

To a worker travel the places of the image and of the model, and which tiles make a batch; it opens both once,
so their paths must lead to the same files there. Back comes the answer for the batch. Batches hold the tiles
that they hold here, and this process merges them in their order and keeps the ledger.

A worker that is lost costs the batches that it was at, or had answered and not yet handed over: Dask gives
them to another. Reading has one lock in each worker and the model another, so that a worker of two threads
reads while it computes.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from kerasseg.errors import UserError
from kerasseg.images.preprocessing import Preprocessing
from kerasseg.images.stores.store import Opening, Store
from kerasseg.inference.blending import Answers
from kerasseg.inference.forward import Forward
from kerasseg.inference.tiled import Pixels, asking, filled, groups, per_batch
from kerasseg.inference.tiling import Tile, Tiling
from kerasseg.spec import ModelSpec, TilingSettings

if TYPE_CHECKING:
    from distributed import Client, Future

PATIENCE = 30  # seconds that a scheduler and its first worker are waited for
BATCHES_PER_THREAD = 2  # on their way at most: one that is worked at, and the next
RETRIES = 2  # of a batch that fails, perhaps on another worker

_reading, _computing = Lock(), Lock()


@contextmanager
def connected(scheduler: str, patience: float = PATIENCE) -> Iterator[Client]:
    """Connect to a cluster.

    Parameters
    ----------
    scheduler : str
        Such as ``tcp://host:8786``.
    patience : float
        Seconds.

    Yields
    ------
    distributed.Client

    Raises
    ------
    UserError
        If `dask.distributed` is missing, no scheduler answers, or it has no worker.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UserError("--dask needs dask.distributed: pip install 'kerasseg[dask]'") from error
    try:
        client = Client(scheduler, timeout=patience, set_as_default=False)
    except (TimeoutError, OSError, ValueError) as error:
        raise UserError(
            f"{scheduler}: no scheduler answers there ({error}); expected an address such as "
            "tcp://HOST:8786, where dask scheduler was started"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError as error:
            raise UserError(
                f"{scheduler}: it has no worker; start some by dask worker {scheduler} --nthreads 2"
            ) from error
        yield client


@dataclass(frozen=True)
class DaskBackend:
    """The workers of a cluster, in the place of `kerasseg.inference.backends.Backend`.

    Attributes
    ----------
    client : distributed.Client
    forward : Forward
        It can be pickled, and opens its network where it is called.
    name : str
        The engine that the workers compute by.
    """

    client: Client
    forward: Forward
    name: str

    def pixels(self, store: Store, spec: ModelSpec) -> Pixels:
        """Say where the image lies, and what is to be made of it."""
        shape = (*store.shape[:-1], spec.channels)
        return StoredImage(store.opening, shape, spec.preprocessing, store.path.stat().st_mtime_ns)

    def answers(self, image: Pixels, tiling: Tiling, settings: TilingSettings, first: int = 0) -> Answers:
        """Give every tile from number `first` on with its probabilities, in the tiling's order.

        Parameters
        ----------
        image : Pixels
            It can be pickled; best by saying where it lies.
        tiling, settings, first
            As `kerasseg.inference.tiled.answers` takes them.

        Raises
        ------
        UserError
            If a worker cannot read the image or the model, or the cluster is gone.
        """
        shape = (per_batch(tiling, settings.batch_size), *tiling.tile_shape, image.shape[-1])
        submit = partial(
            self.client.submit, _answer, image, self.forward, shape=shape, settings=settings,
            pure=False, retries=RETRIES,
        )  # fmt: skip
        waiting = ((tiles, submit(tiles)) for tiles in groups(tiling, settings.batch_size, first))
        submitted: deque[tuple[list[Tile], Future]] = deque()
        with advised("tiles", "give them more memory, or set a smaller predict.tile"):
            while True:
                most = BATCHES_PER_THREAD * max(1, sum(self.client.nthreads().values()))
                submitted.extend(itertools.islice(waiting, max(0, most - len(submitted))))
                if not submitted:
                    return
                tiles, future = submitted.popleft()
                yield from zip(tiles, future.result(), strict=False)  # a last batch holds more than its tiles


@dataclass(frozen=True)
class StoredImage:
    """Slices like an array of the image as the model takes it; each process opens the file for itself, once.

    Attributes
    ----------
    opening : Opening
    shape : tuple of int
        (Y, X, C) or (Z, Y, X, C), with the channels that the model takes.
    preprocessing : Preprocessing
        What brings the image as stored to that.
    changed : int
        When the file was changed, so that a worker that lives on opens it again.
    """

    opening: Opening
    shape: tuple[int, ...]
    preprocessing: Preprocessing
    changed: int

    def __getitem__(self, region: tuple[slice, ...]) -> np.ndarray:
        return _opened(self)(region)


@lru_cache(maxsize=1)
def _opened(image: StoredImage):
    store = image.opening()
    if store.shape[:-1] != image.shape[:-1]:
        raise UserError(
            f"{store.path}: it has the shape {store.shape[:-1]} there, and {image.shape[:-1]} where it was "
            "asked for; expected one file at one path"
        )
    return image.preprocessing.regions(store)


def _answer(
    image: Pixels, forward: Forward, tiles: list[Tile], shape: tuple[int, ...], settings: TilingSettings
) -> np.ndarray:
    """Answer for a batch on a worker."""
    try:
        with _reading:
            batch = filled(np.zeros(shape, np.float32), image, tiles, settings.padding)
        with _computing:
            return _asking(forward, settings.tta)(batch)
    except UserError as error:
        from distributed import get_worker

        worker = get_worker().address
        raise UserError(*(f"worker {worker}: {message}" for message in error.messages)) from error


_asking = lru_cache(maxsize=1)(asking)  # empty tiles that were answered are remembered from batch to batch


@contextmanager
def advised(where_lost: str, advice: str) -> Iterator[None]:
    """Say what became of the cluster, and what to do.

    Parameters
    ----------
    where_lost, advice : str
        At what workers are lost time and again, and what helps then.

    Raises
    ------
    UserError
        If workers are lost time and again, the scheduler is gone, or cannot read what it is sent.
    """
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise UserError(
            f"workers were lost at the same {where_lost} time and again, {error.last_worker.address} the "
            f"last: {advice}, and repeat the command to continue"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise UserError(
            "the scheduler is gone; start it again, and repeat the command to continue"
        ) from error
    except (ModuleNotFoundError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "deserialization" not in str(error):
            raise
        raise UserError(
            f"the cluster cannot read what it was sent ({' '.join(str(error).split())}): install "
            "kerasseg[dask] of the same version on the scheduler and on all workers"
        ) from error
