"""Segment microscopy images without a GUI: annotate in labelme, write a YAML recipe, run it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kerasseg.cascade import Cascade
    from kerasseg.segmenter import Segmenter

__all__ = ["Cascade", "Segmenter", "__version__"]

__version__ = "0.1.0"

# Read when TensorFlow is imported, so set before anything can import it; a user's own values win.
# oneDNN is off by default on AMD Zen processors, where it makes a training step a third cheaper.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# albumentations asks the network for a newer version at import unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")


def __getattr__(name: str) -> object:
    """Import the public names when they are first used: `import kerasseg` alone imports nothing else."""
    if name == "Segmenter":
        from kerasseg.segmenter import Segmenter

        return Segmenter
    if name == "Cascade":
        from kerasseg.cascade import Cascade

        return Cascade
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
