"""Architectures: functions from an input shape to a Keras model, by the names that a recipe may use."""

from kerasseg.models.linknet import linknet
from kerasseg.models.unet import unet

MODELS = {"linknet": linknet, "unet": unet}
