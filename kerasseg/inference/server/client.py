"""Ask a served model for tiles as a local one is asked: `forward("grpc://localhost:8500/cells")`.

The model's specification comes with it, so that tiling, normalisation and masks are those of a local
prediction, with no run directory at hand. Images and volumes travel as tiles, by the signatures `tiles` and
`packed`; `encoded` takes files of PNG or JPEG, which hold no volumes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from kerasseg.errors import UserError
from kerasseg.inference.server.address import Address, parse
from kerasseg.inference.server.failures import Absent, Exhausted, Failure, Refused, Unavailable, insist
from kerasseg.spec import ModelSpec

DEADLINE = 120.0
PATIENCE = 300.0
PATIENCE_AT_FIRST = 10.0
LARGEST_REQUEST = 64 << 20  # proxies often allow less than gRPC's 2 GB, and less is lost when one is repeated

ADVICE = {
    Unavailable: "the server does not answer; check that it runs and that host and port are right, and "
    "repeat the command",
    Absent: "the server has no such model or version; leave the version out, or look up its versions at "
    "http://HOST:8501/v1/models/NAME",
    Exhausted: "one tile is too large for the server; make tiles smaller, or give it more memory",
    Refused: "the server refuses the request",
}


class Connection(Protocol):
    """A way to ask: `over_grpc.Grpc` or `over_rest.Rest`."""

    bytes_a_number: int

    def probabilities(self, tiles: np.ndarray, version: int) -> np.ndarray:
        """Ask for the (B, ..., K) of tiles (B, ..., C); raise a `Failure` where there is no answer."""

    def metadata(self, version: int | None) -> tuple[str, int]:
        """Ask what the model is, in JSON, and which version answered; likewise."""


@dataclass(frozen=True)
class RemoteForward:
    """A `kerasseg.inference.forward.Forward` that a server computes.

    Attributes
    ----------
    address : Address
        With the version that answered first: all tiles go to it, so that no image is answered by two models
        while a server takes up a new one.
    spec : ModelSpec
        What that version takes and gives.
    connection, patience, largest_request
        See `forward`.
    """

    address: Address
    spec: ModelSpec
    connection: Connection
    patience: float
    largest_request: int

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Answer for tiles: (B, Y, X, C) or (B, Z, Y, X, C) float32, normalised, to (B, ..., K) float32.

        Raises
        ------
        UserError
            If the tiles have other axes or channels than the model takes, or the server gives no answer.
        """
        count, *size, channels = batch.shape
        spec = self.spec
        if (len(size), channels) != (spec.rank, spec.channels):
            raise UserError(
                f"{self.address}: the model takes {spec.channels} channels and {spec.rank} axes in space, "
                f"tiles have {channels} and {len(size)}"
            )
        numbers = math.prod(size) * max(channels, spec.outputs)
        most = max(1, self.largest_request // (numbers * self.connection.bytes_a_number))
        parts = np.array_split(batch, math.ceil(count / most))
        with _advised(self.address):
            return np.concatenate([self._answer(part) for part in parts])

    def _answer(self, tiles: np.ndarray) -> np.ndarray:
        """Ask for tiles; for half of them at a time where they are too many for the server."""
        version, half = self.address.version, len(tiles) // 2
        try:
            return insist(lambda: self.connection.probabilities(tiles, version), self.patience)
        except Exhausted:
            if half == 0:
                raise
        return np.concatenate([self._answer(tiles[:half]), self._answer(tiles[half:])])


def forward(
    url: str,
    *,
    deadline: float = DEADLINE,
    patience: float = PATIENCE,
    largest_request: int = LARGEST_REQUEST,
) -> RemoteForward:
    """Get to know a served model.

    Parameters
    ----------
    url : str
        ``grpc://host:port/name`` or ``rest://host:port/name``, with ``:version`` behind for another than the
        latest.
    deadline : float
        Seconds after which a request is given up and repeated.
    patience : float
        For how many seconds a server that was there may be away.
    largest_request : int
        In bytes; more tiles than fit travel one request after another.

    Returns
    -------
    RemoteForward
        To be called with batches of tiles.

    Raises
    ------
    UserError
        If the address is none, or no server, model or version is there.
    """
    address = parse(url)
    connection = _connect(address, deadline)
    with _advised(address):
        spec, version = _introduce(connection, address, min(patience, PATIENCE_AT_FIRST))
    return RemoteForward(replace(address, version=version), spec, connection, patience, largest_request)


def _connect(address: Address, deadline: float) -> Connection:
    if address.scheme == "rest":
        from kerasseg.inference.server.over_rest import Rest

        return Rest(address, deadline)
    from kerasseg.inference.server.over_grpc import Grpc  # imports TensorFlow

    return Grpc(address, deadline)


def _introduce(connection: Connection, address: Address, patience: float) -> tuple[ModelSpec, int]:
    """Ask the model what it takes, and the server which version that is."""
    try:
        text, version = insist(lambda: connection.metadata(address.version), patience)
        if '"merge": ' in text:
            raise UserError(f"{address}: this is a cascade, which takes whole images; predict by its folder")
        return ModelSpec.from_json(text), version
    except (Refused, ValueError) as error:
        raise UserError(
            f"{address}: the model does not say what it takes ({error}); write it by kerasseg export"
        ) from error


@contextmanager
def _advised(address: Address) -> Iterator[None]:
    try:
        yield
    except Failure as failure:
        raise UserError(f"{address}: {ADVICE[type(failure)]} ({failure})") from failure
