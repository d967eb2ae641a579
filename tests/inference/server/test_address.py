import pytest

from kerasseg.errors import UserError
from kerasseg.inference.server.address import Address, parse


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("grpc://localhost:8500/cells", Address("grpc", "localhost:8500", "cells")),
        ("rest://10.0.0.1:8501/cells:3", Address("rest", "10.0.0.1:8501", "cells", 3)),
        ("grpc://[::1]:8500/cells/", Address("grpc", "[::1]:8500", "cells")),
    ],
)
def test_addresses_are_read_and_written(url, address):
    assert parse(url) == address
    assert str(address) == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8500/cells", "expected grpc://host:port/name"),
        ("grpc://localhost/cells", "port 8500 for grpc"),
        ("grpc://localhost:8500", "expected grpc://host:port/name"),
        ("grpc://localhost:8500/cells:new", "expected grpc://host:port/name"),
        ("grcp://localhost:8500/cells", "did you mean 'grpc'"),
    ],
)
def test_what_is_no_address_is_answered_with_one(url, message):
    with pytest.raises(UserError, match=message):
        parse(url)
