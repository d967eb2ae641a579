"""Requests to TensorFlow Serving by REST: numbers travel as text, five times as large as by gRPC.

It needs no package, and passes where only HTTP does.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

import numpy as np

from kerasseg.serving.address import Address
from kerasseg.serving.failures import Absent, Exhausted, Refused, Unavailable, refusal

BYTES_A_NUMBER = 21  # "0.30000001192092896, "
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

    def ask(
        self, signature: str, argument: str, value: np.ndarray, output: str, version: int | None
    ) -> tuple[np.ndarray, int]:
        """Ask for one output of a signature.

        Returns
        -------
        output : numpy.ndarray
        version : int
            The one that answered.

        Raises
        ------
        Failure
            If there is no answer.
        """
        version = self._latest() if version is None else version  # its answers do not name the version
        asked = {"signature_name": signature, "inputs": {argument: value.tolist()}}
        answer = self._request(f"{self._url}/versions/{version}:predict", json.dumps(asked).encode())
        outputs = answer["outputs"]  # of a signature with one output, that output
        found = np.asarray(outputs[output] if isinstance(outputs, dict) else outputs)
        return found.astype(np.float32) if found.dtype.kind == "f" else found, version

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
            raise Refused(f"{url} answers what is no JSON; is it TensorFlow Serving's REST port?") from error


def _message(error: urllib.error.HTTPError) -> str:
    content = error.read().decode(errors="replace")
    try:
        return json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        return content[:200] or error.reason
