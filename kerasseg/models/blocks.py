"""Building blocks: functions from tensor to tensor, 2-D or 3-D by the rank of what they are given."""

from __future__ import annotations

from keras import KerasTensor, layers


def rank(x: KerasTensor) -> int:
    """Number of spatial axes of a `(B, ..., C)` tensor: 2 or 3."""
    return len(x.shape) - 2


def convolution(
    x: KerasTensor, filters: int, kernel: int, *, strides: int = 1, bias: bool = True, name: str
) -> KerasTensor:
    """Convolve with 'same' padding.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    filters : int
        Channels of the result.
    kernel, strides : int
        In pixels, alike along each spatial axis.
    bias : bool
        Whether a bias is added; not where batch normalisation follows.
    name : str

    Returns
    -------
    KerasTensor, (B, ..., filters)
    """
    layer = {2: layers.Conv2D, 3: layers.Conv3D}[rank(x)]
    return layer(
        filters,
        kernel,
        strides,
        "same",
        use_bias=bias,
        kernel_initializer="he_uniform",
        name=name,
    )(x)


def convolution_norm_relu(
    x: KerasTensor, filters: int, kernel: int = 3, *, momentum: float, name: str
) -> KerasTensor:
    """Convolution, batch normalisation and ReLU, in this order.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    filters, kernel : int
    momentum : float
        How much of batch normalisation's moving statistics each step keeps, in [0, 1).
    name : str

    Returns
    -------
    KerasTensor, (B, ..., filters)
    """
    x = convolution(x, filters, kernel, bias=False, name=f"{name}_conv")
    x = layers.BatchNormalization(momentum=momentum, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def double_convolution(x: KerasTensor, filters: int, *, momentum: float, name: str) -> KerasTensor:
    """Two 3x3 convolutions, each with normalisation and ReLU: the U-Net's stage.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    filters : int
    momentum : float
        See `convolution_norm_relu`.
    name : str

    Returns
    -------
    KerasTensor, (B, ..., filters)
    """
    x = convolution_norm_relu(x, filters, momentum=momentum, name=f"{name}a")
    return convolution_norm_relu(x, filters, momentum=momentum, name=f"{name}b")


def upsample(x: KerasTensor, *, name: str) -> KerasTensor:
    """Double every spatial axis by repeating pixels: `(B, ..., C)` at half to full size."""
    layer = {2: layers.UpSampling2D, 3: layers.UpSampling3D}[rank(x)]
    return layer(2, name=name)(x)


def downsample(x: KerasTensor, *, name: str) -> KerasTensor:
    """Halve every spatial axis by its maximum: `(B, ..., C)` at full to half size."""
    layer = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}[rank(x)]
    return layer(2, name=name)(x)


def attention_gate(skip: KerasTensor, gate: KerasTensor, filters: int, *, name: str) -> KerasTensor:
    """Weigh a skip by an additive attention gate, with a coefficient in (0, 1) for each pixel.

    ``skip * upsample(sigmoid(conv(relu(conv(skip) + conv(gate)))))``, all convolutions 1x1. The skip's is
    strided, so that the gate works on the decoder's smaller grid, where it costs next to nothing.

    Parameters
    ----------
    skip : KerasTensor, (B, 2H, 2W, C)
        The encoder's features.
    gate : KerasTensor, (B, H, W, G)
        The decoder's features from one level below.
    filters : int
        Inner width, shared by both branches.
    name : str

    Returns
    -------
    KerasTensor, (B, 2H, 2W, C)

    References
    ----------
    Oktay et al., "Attention U-Net", arXiv:1804.03999, 2018, equations 1 and 2.
    """
    x = convolution(skip, filters, 1, strides=2, bias=False, name=f"{name}_skip_conv")
    g = convolution(gate, filters, 1, name=f"{name}_gate_conv")
    x = layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, g]))
    x = convolution(x, 1, 1, name=f"{name}_conv")
    x = upsample(layers.Activation("sigmoid", name=f"{name}_sigmoid")(x), name=f"{name}_upsample")
    return layers.Multiply(name=f"{name}_multiply")([skip, x])


def head(x: KerasTensor, classes: int, activation: str) -> KerasTensor:
    """Turn features into probabilities, in float32 whatever the precision of the rest.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    classes : int
        K, the number of channels of the result.
    activation : {"sigmoid", "softmax"}

    Returns
    -------
    KerasTensor, (B, ..., K) float32 in [0, 1]
    """
    x = convolution(x, classes, 3, name="head_conv")
    return layers.Activation(activation, dtype="float32", name="probabilities")(x)
