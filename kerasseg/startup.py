"""How TensorFlow is started: where it is first needed, for it takes seconds, and in silence."""

from __future__ import annotations

import os
import sys
import tempfile


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
