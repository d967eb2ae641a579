"""The weights of a trained model as those that another begins with: all of them, or as many as fit.

Layers are told apart by their names, which say what they are part of: see `ENCODER` and `HEAD`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasseg.errors import UserError
from kerasseg.models.pretrained import adapt_kernel

ENCODER, HEAD = ("encoder", "stem", "block", "top"), ("head",)
"""What the names of the layers of every encoder begin with, and those of the layers that make the answer."""
LISTED = 2  # differences that a message lists


class Form(NamedTuple):
    """What two layers have in common if the one can have the weights of the other."""

    kind: str
    dilation: Any
    shapes: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        return f"{self.kind} with weights of {', '.join('x'.join(map(str, shape)) for shape in self.shapes)}"


def encoder_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """List the layers of a model's encoder that have weights; none where it has no encoder."""
    return [layer for layer in model.layers if layer.weights and layer.name.startswith(ENCODER)]


def take_weights(model: keras.Model, base: keras.Model, *, head: bool) -> str:
    """Give a model the weights of another: all, all but those of the head, or those of the encoder.

    It is as many as have the same names and shapes in both. Where images have other channels, the first
    kernel is adapted: see `kerasseg.models.pretrained.adapt_kernel`.

    Parameters
    ----------
    model, base : keras.Model
        Functional; `model` gets the weights of `base`.
    head : bool
        Whether the answers of both mean the same, so that those of the head are taken too, if they fit.

    Returns
    -------
    str
        What was taken, such as ``"the encoder's weights"``.

    Raises
    ------
    UserError
        If not even the encoders are alike; it says in what the networks differ.
    """
    weights, base_weights = _weights(model), _weights(base)
    if (channels := model.input_shape[-1]) != base.input_shape[-1]:
        kernel, *others = next(iter(base_weights.values()))  # layers are listed from the image on
        base_weights |= {next(iter(base_weights)): [adapt_kernel(kernel, channels), *others]}
    forms, base_forms = _forms(model, weights), _forms(base, base_weights)
    names = dict.fromkeys([*forms, *base_forms])
    parts = {
        "all weights": [*names] if head else [],
        "all weights but the head's": [name for name in names if not name.startswith(HEAD)],
        "the encoder's weights": [name for name in names if name.startswith(ENCODER)],
    }
    different = [name for name in names if forms.get(name) != base_forms.get(name)]
    for part, layers in parts.items():
        if layers and not {*different} & {*layers}:
            for name in layers:
                model.get_layer(name).set_weights(base_weights[name])
            return part
    raise UserError(_differences(different, forms, base_forms))


def _weights(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def _forms(model: keras.Model, weights: Mapping[str, list[np.ndarray]]) -> dict[str, Form]:
    forms = {}
    for name, values in weights.items():
        layer = model.get_layer(name)
        config = layer.get_config()
        dilation = config.get("dilation_rate", config.get("dilations"))
        forms[name] = Form(type(layer).__name__, dilation, tuple(value.shape for value in values))
    return forms


def _differences(names: list[str], forms: Mapping[str, Form], base_forms: Mapping[str, Form]) -> str:
    """Say in what networks differ, the encoder first, as that is the least that could have been taken."""
    names = sorted(names, key=lambda name: not name.startswith(ENCODER))
    lines = [
        f"{name} is {forms.get(name, 'missing')} here and {base_forms.get(name, 'missing')} there"
        for name in names[:LISTED]
    ]
    return f"{len(names)} of {len(forms | base_forms)} layers differ: {'; '.join(lines)}"
