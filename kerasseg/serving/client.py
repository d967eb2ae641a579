"""Ask a served model for tiles as a local one is asked: `forward("grpc://localhost:8500/cells")`.

The model's metadata come with it, so that tiling, normalisation and masks are those of a local prediction,
with no run directory at hand.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from kerasseg.errors import UserError
from kerasseg.serving.address import Address, parse
from kerasseg.serving.failures import Absent, Exhausted, Failure, Refused, Unavailable, insist
from kerasseg.serving.metadata import Metadata

DEADLINE = 120.0  # seconds for one request
PATIENCE = 300.0  # seconds for a server to come back
CONNECT_PATIENCE = 10.0  # seconds for it to be there at all
LARGEST_REQUEST = 64 << 20  # bytes; proxies often allow less than gRPC's 2 GB, and less is lost on a retry

ADVICE = {
    Unavailable: "the server does not answer; see that it runs and that host and port are right, and give the "
    "same command again",
    Absent: "the server has no such model or version; leave the version out, or look at "
    "http://HOST:8501/v1/models/NAME for those that it has",
    Exhausted: "one tile is too much for the server; make tiles smaller, or give it more memory",
    Refused: "the server refuses the request",
}


class Connection(Protocol):
    """A way to ask: see `over_grpc.Grpc` and `over_rest.Rest`."""

    bytes_a_number: int

    def ask(
        self, signature: str, argument: str, value: np.ndarray, output: str, version: int | None
    ) -> tuple[np.ndarray, int]:
        """Ask for one output of a signature, and say which version answered."""


class RemoteForward:
    """A `kerasseg.prediction.predict.Forward` that a server computes.

    Every request goes to the version that answered the first, so that one image is never answered by two
    models while a server takes up a new version.

    Attributes
    ----------
    address : Address
        With the version that answers.
    metadata : Metadata
        What that version takes and gives.
    """

    def __init__(
        self, address: Address, connection: Connection, *, patience: float, largest_request: int
    ) -> None:
        self.address, self._connection = address, connection
        self._patience, self._largest_request = min(patience, CONNECT_PATIENCE), largest_request
        self.metadata = self._introduce()
        self._patience = patience

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Answer for tiles: (B, Y, X, C) float32, normalised, to (B, Y, X, K) float32."""
        count, height, width, channels = batch.shape
        if channels != self.metadata.channels:
            raise UserError(
                f"{self.address}: the model takes {self.metadata.channels} channels, the tiles have {channels}"
            )
        numbers = height * width * max(channels, self.metadata.outputs)
        most = max(1, self._largest_request // (numbers * self._connection.bytes_a_number))
        parts = np.array_split(batch, math.ceil(count / most))
        return np.concatenate([self._answer(part) for part in parts])

    def _introduce(self) -> Metadata:
        try:
            told, version = self._ask("metadata", "request", np.array([""]), "metadata")
            metadata = Metadata.from_json(_text(told[0]))
        except (Refused, ValueError) as error:
            raise UserError(
                f"{self.address}: this model was not made by kerasseg export, or by an older one: it does not "
                f"say what it takes ({error}). Export it again"
            ) from error
        self.address = replace(self.address, version=version)
        return metadata

    def _answer(self, tiles: np.ndarray) -> np.ndarray:
        """Ask for tiles; in halves where they are too many for the server."""
        try:
            return self._ask("tiles", "tiles", tiles, "probabilities")[0]
        except Exhausted:
            half = len(tiles) // 2
            if half:
                return np.concatenate([self._answer(tiles[:half]), self._answer(tiles[half:])])
            raise


"""
"""
