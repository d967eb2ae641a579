"""Models on disk: loaded without running code of theirs, and told apart by their weights."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np

from kerasseg.errors import Blocked
from kerasseg.models import mixed_scale_dense  # noqa: F401  registers a layer that a model may have


def load_model(path: Path) -> keras.Model:
    """Load a model that carries no code.

    Raises
    ------
    Blocked
        If it is not a Keras model, is damaged, or carries code of its own.
    """
    if not zipfile.is_zipfile(path):
        raise Blocked(f"{path}: this is not a Keras model, or not all of it; copy it again")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise Blocked(f"{path}: this Keras model is damaged ({error}); copy it again") from error
    except (ValueError, OSError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise Blocked(f"{path}: this is not a Keras model that can be loaded safely ({reason})") from error


def fingerprint(model: keras.Model) -> str:
    """Tell models apart: the SHA-256 of all weights in their order."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight))
    return digest.hexdigest()
