"""Requests to TensorFlow Serving by REST: numbers travel as base64, a third larger than by gRPC.

It needs no package, and passes where only HTTP does.
"""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

import numpy as np

from kerasseg.inference.server.address import Address
from kerasseg.inference.server.failures import Absent, Exhausted, Refused, Unavailable, refusal

BYTES_A_NUMBER = 6  # 4 of memory make 5 1/3 of base64
FAILURES = {
    HTTPStatus.REQUEST_TIMEOUT: Unavailable,
    HTTPStatus.BAD_GATEWAY: Unavailable,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.GATEWAY_TIMEOUT: Unavailable,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Exhausted,
    HTTPStatus.TOO_MANY_REQUESTS: Exhausted,
    HTTPStatus.NOT_FOUND: Absent,
}


class Rest:
    """Requests to one model.

    Parameters
    ----------
    address : Address
    deadline : float
        Seconds after which an answer is no longer waited for.
    """

    bytes_a_number = BYTES_A_NUMBER

    def __init__(self, address: Address, deadline: float) -> None:
        self._url, self._deadline = f"http://{address.host}/v1/models/{address.name}", deadline

    def probabilities(self, tiles: np.ndarray, version: int) -> np.ndarray:
        """Ask for the (B, ..., K) of tiles (B, ..., C); raise a `Failure` where there is no answer."""
        size = tiles.shape[1:-1]
        packed = {"tiles_bytes": [_packed(tile) for tile in tiles], "size": [size] * len(tiles)}
        answers = self._predict("packed", packed, version)
        found = b"".join(base64.b64decode(answer["b64"]) for answer in answers)
        return np.frombuffer(found, "<f4").reshape(*tiles.shape[:-1], -1)

    def metadata(self, version: int | None) -> tuple[str, int]:
        """Ask what the model is, in JSON, and which version answered; likewise."""
        version = self._latest() if version is None else version  # its answers do not name the version
        (text,) = self._predict("metadata", {"request": [""]}, version)
        return text, version

    def _predict(self, signature: str, inputs: dict[str, Any], version: int) -> list:
        """Ask a signature for its output; it has but one."""
        asked = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        return self._request(f"{self._url}/versions/{version}:predict", asked)["outputs"]

    def _latest(self) -> int:
        versions = self._request(self._url)["model_version_status"]
        available = [int(each["version"]) for each in versions if each["state"] == "AVAILABLE"]
        if not available:
            raise Unavailable(f"no version is available yet: {versions}")
        return max(available)

    def _request(self, url: str, body: bytes | None = None) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(url, body, self._deadline) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise FAILURES.get(error.code, refusal)(f"HTTP {error.code}: {_message(error)}") from error
        except (OSError, http.client.HTTPException) as error:  # refused, reset, timed out, broken off
            raise Unavailable(str(error) or type(error).__name__) from error
        except ValueError as error:
            raise Refused(
                f"{url} answered something other than JSON; is it TensorFlow Serving's REST port?"
            ) from error


def _packed(tile: np.ndarray) -> dict[str, str]:
    return {"b64": base64.b64encode(np.ascontiguousarray(tile, "<f4")).decode()}


def _message(error: urllib.error.HTTPError) -> str:
    content = error.read().decode(errors="replace")
    try:
        return json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return content[:200] or error.reason
