"""How TensorFlow and optional packages are started: where they are first needed, for that takes seconds."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from kerasseg.errors import UserError

if TYPE_CHECKING:
    from types import ModuleType


def start_tensorflow() -> None:
    """Import TensorFlow without what its libraries print at every start; they mind no level of logging.

    What they say of a start that fails is shown.
    """
    if "tensorflow" in sys.modules:
        return
    with tempfile.TemporaryFile() as said:
        stderr = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow

            tensorflow.config.list_physical_devices()
            tensorflow.get_logger().setLevel("ERROR")  # it takes a cascade's networks for one traced anew
        except Exception:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def needed(package: str, extra: str) -> ModuleType:
    """Import a package of one of kerasseg's extras.

    Raises
    ------
    UserError
        If it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"this needs the package {package} ({error}): pip install 'kerasseg[{extra}]'"
        ) from error
