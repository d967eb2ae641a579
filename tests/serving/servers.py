"""Servers that speak TensorFlow Serving's two languages on loopback, for a SavedModel."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

HTTP = {
    "NOT_FOUND": 404,
    "INVALID_ARGUMENT": 400,
    "UNAVAILABLE": 503,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
}


class Refusal(Exception):
    """A status of gRPC with its message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


TOO_MANY = (
    Refusal("RESOURCE_EXHAUSTED", "OOM when allocating tensor"),
    Refusal("INVALID_ARGUMENT", "Task size 5 is larger than maximum input batch size 2"),
)


class Models:
    """What both servers answer from: versions of one model, and failures to come first.

    `asked` keeps (signature, version, number of rows) of every request.
    """

    def __init__(self, name, versions, *, most_rows=None):
        self.name, self.versions, self.most_rows = name, versions, most_rows
        self.asked, self.failures = [], []
        self.too_many = TOO_MANY[0]

    def predict(self, name, version, signature, inputs):
        self.asked.append((signature, version, len(next(iter(inputs.values())))))
        if self.failures:
            raise Refusal(self.failures.pop(0), "on purpose")
        latest = version or max(self.versions)
        if name != self.name or latest not in self.versions:
            which = f"Specific({name}, {version})" if version else f"Latest({name})"
            raise Refusal("NOT_FOUND", f"Servable not found for request: {which}")
        if signature not in self.versions[latest]:
            raise Refusal("INVALID_ARGUMENT", f'Serving signature key "{signature}" not found.')
        if self.most_rows and self.asked[-1][2] > self.most_rows:
            raise self.too_many
        return latest, self._answer(self.versions[latest][signature], inputs)

    @staticmethod
    def _answer(signature, inputs):
        takes = signature.structured_input_signature[1]
        given = {name: tf.constant(value, takes[name].dtype) for name, value in inputs.items()}
        try:
            return {name: value.numpy() for name, value in signature(**given).items()}
        except tf.errors.InvalidArgumentError as error:
            raise Refusal("INVALID_ARGUMENT", error.message) from error


class GrpcServer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """TensorFlow Serving's PredictionService."""

    def __init__(self, models, port=0):
        self.models = models
        self._server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    def Predict(self, request, context):
        """Answer for the outputs that were asked for."""
        spec = request.model_spec
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        try:
            answered = self.models.predict(spec.name, spec.version.value or None, spec.signature_name, inputs)
        except Refusal as refusal:
            context.abort(grpc.StatusCode[refusal.code], refusal.message)
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.version.value = spec.name, answered[0]
        for name in request.output_filter or answered[1]:
            response.outputs[name].CopyFrom(tf.make_tensor_proto(answered[1][name]))
        return response

    def stop(self):
        """Go away, in the middle of requests too."""
        self._server.stop(0).wait()


class RestServer:
    """TensorFlow Serving's REST interface, as far as predictions by columns and a model's state."""

    def __init__(self, models, port=0):
        self.models = models
        handler = type("Handler", (_Handler,), {"models": models})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Go away."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.removeprefix("/v1/models/")
        if name != self.models.name:
            return self._write(404, {"error": f"Could not find any versions of model {name}"})
        states = [{"version": str(number), "state": "AVAILABLE"} for number in self.models.versions]
        return self._write(200, {"model_version_status": states})

    def do_POST(self):
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        name, _, version = path.partition("/versions/")
        inputs = content.get("inputs") or {"image_bytes": content["instances"]}
        inputs = {key: _plain(value) for key, value in inputs.items()}
        try:
            _, outputs = self.models.predict(
                name, int(version) if version else None, content["signature_name"], inputs
            )
        except Refusal as refusal:
            return self._write(HTTP[refusal.code], {"error": refusal.message})
        listed = {key: _listed(key, value) for key, value in outputs.items()}
        return self._write(200, {"outputs": listed if len(listed) > 1 else next(iter(listed.values()))})

    def _write(self, status, answer):
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _plain(value):
    """Decode {"b64": ...}, as TensorFlow Serving does wherever it stands."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _listed(name, value):
    """Encode strings as base64 where the name ends in `_bytes`, as TensorFlow Serving does."""
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(each).decode()} for each in value]
    return [text.decode() for text in value] if value.dtype == object else np.asarray(value).tolist()
