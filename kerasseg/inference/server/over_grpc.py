"""Requests to TensorFlow Serving by gRPC: numbers travel as they are in memory."""

from __future__ import annotations

import numpy as np

from kerasseg.errors import UserError
from kerasseg.inference.server.address import Address
from kerasseg.inference.server.failures import Absent, Exhausted, Failure, Unavailable, refusal

try:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
except ImportError as error:
    raise UserError(
        f"grpc:// needs the package tensorflow-serving-api ({error}): pip install 'kerasseg[serving]'; "
        "rest:// needs none"
    ) from error

BYTES_A_NUMBER = 4
OPTIONS = [
    ("grpc.max_receive_message_length", -1),  # 4 MB otherwise, a tile of 1024 x 1024 and one class
    ("grpc.max_send_message_length", -1),
    ("grpc.max_reconnect_backoff_ms", 5000),  # a server that is back is found soon
]
FAILURES = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Exhausted,
    grpc.StatusCode.NOT_FOUND: Absent,
}


class Grpc:
    """A connection to one model.

    Parameters
    ----------
    address : Address
    deadline : float
        Seconds after which an answer is no longer waited for.
    """

    bytes_a_number = BYTES_A_NUMBER

    def __init__(self, address: Address, deadline: float) -> None:
        self._address, self._deadline = address, deadline
        channel = grpc.insecure_channel(address.host, OPTIONS)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def probabilities(self, tiles: np.ndarray, version: int) -> np.ndarray:
        """Ask for the (B, ..., K) of tiles (B, ..., C); raise a `Failure` where there is no answer."""
        return self._ask("tiles", "tiles", tiles, "probabilities", version)[0]

    def metadata(self, version: int | None) -> tuple[str, int]:
        """Ask what the model is, in JSON, and which version answered; likewise."""
        anything = np.array([""], object)
        (text,), version = self._ask("metadata", "request", anything, "metadata", version)
        return text.decode(), version

    def _ask(
        self, signature: str, argument: str, value: np.ndarray, output: str, version: int | None
    ) -> tuple[np.ndarray, int]:
        """Ask for one output of a signature, and which version answered."""
        request = predict_pb2.PredictRequest(output_filter=[output])
        request.model_spec.name, request.model_spec.signature_name = self._address.name, signature
        if version is not None:
            request.model_spec.version.value = version
        request.inputs[argument].CopyFrom(tf.make_tensor_proto(value))
        try:
            response = self._service.Predict(request, timeout=self._deadline)
        except grpc.RpcError as error:
            raise _failure(error) from error
        return tf.make_ndarray(response.outputs[output]), response.model_spec.version.value


def _failure(error: grpc.RpcError) -> Failure:
    return FAILURES.get(error.code(), refusal)(f"{error.code().name}: {error.details()}")
