"""A page for the person at this computer: a web server that only they can ask, with fixed routes only.

It listens on 127.0.0.1. Every address begins with a token that is drawn anew at each start, and requests for
another host are refused, so that a foreign page open in the same browser can neither read nor decide anything
(it knows no token, and DNS rebinding does not help it). No path that is asked for is ever opened: a route is
looked up by its name, and gets what follows.
"""

from __future__ import annotations

import hmac
import json
import secrets
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from kerasseg.errors import UserError

HOST = "127.0.0.1"
MOST_BYTES = 4096  # of what is posted
REQUEST_TIMEOUT = 10.0  # seconds for a request to arrive
DISCONNECTED = (ConnectionError, TimeoutError)  # a browser leaves in the middle of an answer
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Answer:
    """What is sent back: a file's content, its media type, and whether the browser may keep it."""

    content: bytes
    kind: str
    keep: bool = False


class Refused(Exception):
    """A request that gets no answer, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


Get = Callable[[str], Answer]
"""From what follows the route's name in the address."""
Post = Callable[[Mapping[str, Any]], Any]
"""From the object that was posted to what JSON can hold."""


def json_answer(value: Any) -> Answer:
    """Answer with a value as JSON."""
    return Answer(json.dumps(value).encode(), "application/json")


class Loopback(ThreadingHTTPServer):
    """A server on 127.0.0.1 with fixed routes.

    Parameters
    ----------
    get, post : mapping of str to callable
        The routes by name; the page itself is the route ``""``.
    port : int, default 0
        Any free one by default.

    Attributes
    ----------
    address : str
        What to open in a browser, with the token.
    """

    daemon_threads = True

    def __init__(self, get: Mapping[str, Get], post: Mapping[str, Post], port: int = 0) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise UserError(f"port {port} cannot be used ({error.strerror}); leave it out for any") from error
        self.get, self.post, self.token = get, post, secrets.token_urlsafe(24)
        self.hosts = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}
        self.address = f"http://{HOST}:{self.server_port}/{self.token}/"


class _Handler(BaseHTTPRequestHandler):
    server: Loopback
    server_version, sys_version = "kerasseg", ""
    timeout = REQUEST_TIMEOUT

    def do_GET(self) -> None:
        self._reply(self._get)

    def do_POST(self) -> None:
        self._reply(self._post)

    def log_message(self, *_: Any) -> None:
        """Say nothing: addresses hold the token."""

    def _get(self) -> Answer:
        name, _, rest = self._route().partition("/")
        return _known(self.server.get, name)(rest)

    def _post(self) -> Answer:
        route = _known(self.server.post, self._route())
        return json_answer(route(self._body()))

    def _route(self) -> str:
        """Check who asks, and give what follows the token."""
        if self.headers.get("Host") not in self.server.hosts:
            raise Refused(HTTPStatus.FORBIDDEN, "this page is for the computer on which it runs")
        token, _, rest = unquote(urlsplit(self.path).path).removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            raise Refused(
                HTTPStatus.FORBIDDEN, "open the address that was printed; it changes with each start"
            )
        return rest

    def _body(self) -> Mapping[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "the length of the request is missing")
        if int(length) > MOST_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MOST_BYTES} bytes are posted")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "the request is not a JSON object")
        return body

    def _reply(self, respond: Callable[[], Answer]) -> None:
        with suppress(*DISCONNECTED):
            status, answer = _answered(respond)
            self.send_response(status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.content)))
            self.send_header("Cache-Control", "private, max-age=600" if answer.keep else "no-store")
            for name, value in HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)


def _answered(respond: Callable[[], Answer]) -> tuple[HTTPStatus, Answer]:
    """Call a route, and say what went wrong there: by a person's hand, or by ours."""
    try:
        return HTTPStatus.OK, respond()
    except Refused as refused:
        return refused.status, json_answer({"error": str(refused)})
    except UserError as error:
        return HTTPStatus.CONFLICT, json_answer({"error": str(error)})
    except DISCONNECTED:
        raise
    except Exception as error:
        traceback.print_exc()
        return HTTPStatus.INTERNAL_SERVER_ERROR, json_answer({"error": repr(error)})


def _known(routes: Mapping[str, Any], name: str) -> Any:
    if name not in routes:
        raise Refused(HTTPStatus.NOT_FOUND, "there is nothing here")
    return routes[name]
