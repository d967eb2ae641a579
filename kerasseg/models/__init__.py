"""Architectures: functions from an input shape to a Keras model, by the names that a recipe may use."""

from kerasseg.models.linknet import linknet
from kerasseg.models.msdnet import msdnet
from kerasseg.models.patchgan import patchgan
from kerasseg.models.resnet import resnet
from kerasseg.models.tunable_unet import tunable_unet
from kerasseg.models.unet import unet
from kerasseg.models.vox2vox import vox2vox

MODELS = {
    "linknet": linknet,
    "unet": unet,
    "tunable_unet": tunable_unet,
    "msdnet": msdnet,
    "vox2vox": vox2vox,
    "resnet": resnet,
}
DISCRIMINATORS = {"patchgan": patchgan}
