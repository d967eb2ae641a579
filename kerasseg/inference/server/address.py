"""Where a served model is: `grpc://host:8500/cells`, or `rest://host:8501/cells:3` for its third version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kerasseg.errors import UserError, unknown

SCHEMES = ("grpc", "rest")
FORM = re.compile(r"(?P<scheme>\w+)://(?P<host>[^/\s]+:\d+)/(?P<name>[^/:\s]+)(:(?P<version>\d+))?/?")


@dataclass(frozen=True)
class Address:
    """A model on a server.

    Attributes
    ----------
    scheme : {"grpc", "rest"}
    host : str
        With its port.
    name : str
        Under which the model is served.
    version : int or None
        None is the latest.
    """

    scheme: str
    host: str
    name: str
    version: int | None = None

    def __str__(self) -> str:
        version = "" if self.version is None else f":{self.version}"
        return f"{self.scheme}://{self.host}/{self.name}{version}"


def parse(url: str) -> Address:
    """Read an address.

    Raises
    ------
    UserError
        If it is none.
    """
    found = FORM.fullmatch(url)
    if not found:
        raise UserError(
            f"{url}: expected grpc://host:port/name or rest://host:port/name, and :version if wanted; "
            "TensorFlow Serving listens on port 8500 for grpc and on 8501 for rest"
        )
    if found["scheme"] not in SCHEMES:
        raise UserError(f"{url}: {unknown('scheme', found['scheme'], SCHEMES)}")
    version = None if found["version"] is None else int(found["version"])
    return Address(found["scheme"], found["host"], found["name"], version)
