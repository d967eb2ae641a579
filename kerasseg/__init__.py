"""Segment microscopy images without a GUI: annotate in labelme, write a YAML recipe, run it."""

import os

__version__ = "0.1.0"

# Read when TensorFlow is imported, so set before any room can import it; a user's own values win.
# oneDNN is off by default on AMD Zen processors, where it makes a training step a third cheaper.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# albumentations asks the network for a newer version at import unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
