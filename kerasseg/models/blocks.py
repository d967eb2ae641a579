"""Building blocks: functions from tensor to tensor, 2-D or 3-D by the rank of what they are given."""

from __future__ import annotations

from keras import KerasTensor, layers

from kerasseg.errors import UserError, unknown

# By a configuration, of which every layer draws its own numbers; one object would give all of them the same.
INITIALIZERS = {
    "glorot_uniform": "glorot_uniform",
    "glorot_normal": "glorot_normal",
    "he_uniform": "he_uniform",
    "he_normal": "he_normal",
    "normal": {"class_name": "RandomNormal", "config": {"stddev": 0.02}},
}


def rank(x: KerasTensor) -> int:
    """Number of spatial axes of a `(B, ..., C)` tensor: 2 or 3."""
    return len(x.shape) - 2


def initializer_of(name: str) -> str | dict:
    """Find what Keras is told to draw kernels by; ``normal`` is that of the adversarial networks.

    Raises
    ------
    UserError
        Where `INITIALIZERS` has none of that name.
    """
    if name not in INITIALIZERS:
        raise UserError(unknown("initializer", name, INITIALIZERS))
    return INITIALIZERS[name]


def convolution(
    x: KerasTensor,
    filters: int,
    kernel: int,
    *,
    strides: int = 1,
    padding: str = "same",
    bias: bool = True,
    initializer: str = "he_uniform",
    name: str,
) -> KerasTensor:
    """Convolve, where nothing else is said with 'same' padding.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    filters : int
        Channels of the result.
    kernel, strides : int
        In pixels, alike along each spatial axis.
    padding : {"same", "valid"}
    bias : bool
        Whether a bias is added; not where a normalisation follows.
    initializer : str
        A name in `INITIALIZERS`, of what kernels are drawn by.
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
        padding,
        use_bias=bias,
        kernel_initializer=initializer_of(initializer),
        name=name,
    )(x)


def up_convolution(
    x: KerasTensor,
    filters: int,
    kernel: int = 2,
    *,
    strides: int = 2,
    bias: bool = True,
    initializer: str = "he_uniform",
    name: str,
) -> KerasTensor:
    """Double every spatial axis, or multiply it by `strides`, by a transposed convolution.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
        At half size, or as much smaller as `strides` says.
    filters, kernel, strides : int
    bias : bool
        Whether a bias is added; not where a normalisation follows.
    initializer : str
        See `convolution`.
    name : str

    Returns
    -------
    KerasTensor, (B, ..., filters)
        At full size.
    """
    layer = {2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}[rank(x)]
    return layer(
        filters,
        kernel,
        strides,
        "same",
        use_bias=bias,
        kernel_initializer=initializer_of(initializer),
        name=name,
    )(x)


def convolution_norm_relu(
    x: KerasTensor,
    filters: int,
    kernel: int = 3,
    *,
    momentum: float,
    initializer: str = "he_uniform",
    name: str,
) -> KerasTensor:
    """Convolution, batch normalisation and ReLU, in this order.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    filters, kernel : int
    momentum : float
        How much of batch normalisation's moving statistics each step keeps, in [0, 1).
    initializer : str
        See `convolution`.
    name : str

    Returns
    -------
    KerasTensor, (B, ..., filters)
    """
    x = convolution(x, filters, kernel, bias=False, initializer=initializer, name=f"{name}_conv")
    x = layers.BatchNormalization(momentum=momentum, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def double_convolution(
    x: KerasTensor, filters: int, *, momentum: float, initializer: str = "he_uniform", name: str
) -> KerasTensor:
    """Two 3x3 convolutions, each with normalisation and ReLU: the U-Net's stage.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    filters : int
    momentum, initializer
        See `convolution_norm_relu`.
    name : str

    Returns
    -------
    KerasTensor, (B, ..., filters)
    """
    options = {"momentum": momentum, "initializer": initializer}
    x = convolution_norm_relu(x, filters, **options, name=f"{name}a")
    return convolution_norm_relu(x, filters, **options, name=f"{name}b")


def upsample(x: KerasTensor, *, name: str) -> KerasTensor:
    """Double every spatial axis by repeating pixels: `(B, ..., C)` at half to full size."""
    layer = {2: layers.UpSampling2D, 3: layers.UpSampling3D}[rank(x)]
    return layer(2, name=name)(x)


def downsample(x: KerasTensor, *, name: str) -> KerasTensor:
    """Halve every spatial axis by its maximum: `(B, ..., C)` at full to half size."""
    layer = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}[rank(x)]
    return layer(2, name=name)(x)


def attention_gate(
    skip: KerasTensor, gate: KerasTensor, filters: int, *, initializer: str = "he_uniform", name: str
) -> KerasTensor:
    """Weigh a skip by an additive attention gate, with a coefficient in (0, 1) for each pixel.

    ``skip * upsample(sigmoid(conv(relu(conv(skip) + conv(gate)))))``, all convolutions 1x1. The skip's
    sees every second pixel, so that the gate works on the decoder's smaller grid, where it costs next to
    nothing.

    Parameters
    ----------
    skip : KerasTensor, (B, 2H, 2W, C)
        The encoder's features.
    gate : KerasTensor, (B, H, W, G)
        The decoder's features from one level below.
    filters : int
        Inner width, shared by both branches.
    initializer : str
        See `convolution`.
    name : str

    Returns
    -------
    KerasTensor, (B, 2H, 2W, C)

    References
    ----------
    Oktay et al., "Attention U-Net", arXiv:1804.03999, 2018, equations 1 and 2.
    """
    # Every second pixel and then a plain convolution gives the numbers of a strided one, and TensorFlow with
    # oneDNN computes its gradient reliably for any number of channels.
    pool = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}[rank(skip)]
    x = pool(1, strides=2, name=f"{name}_skip_pool")(skip)
    x = convolution(x, filters, 1, bias=False, initializer=initializer, name=f"{name}_skip_conv")
    g = convolution(gate, filters, 1, initializer=initializer, name=f"{name}_gate_conv")
    x = layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, g]))
    x = convolution(x, 1, 1, initializer=initializer, name=f"{name}_conv")
    x = upsample(layers.Activation("sigmoid", name=f"{name}_sigmoid")(x), name=f"{name}_upsample")
    return layers.Multiply(name=f"{name}_multiply")([skip, x])


def head(x: KerasTensor, classes: int, activation: str, *, initializer: str = "he_uniform") -> KerasTensor:
    """Turn features into probabilities by a 3x3 convolution.

    Parameters
    ----------
    x : KerasTensor, (B, ..., C)
    classes : int
        K, the number of channels of the result.
    activation : {"sigmoid", "softmax"}
    initializer : str
        See `convolution`.

    Returns
    -------
    KerasTensor, (B, ..., K) float32 in [0, 1]
    """
    return probabilities(convolution(x, classes, 3, initializer=initializer, name="head_conv"), activation)


def probabilities(x: KerasTensor, activation: str) -> KerasTensor:
    """Turn `(B, ..., K)` into probabilities, in float32 whatever the precision of the rest."""
    return layers.Activation(activation, dtype="float32", name="probabilities")(x)
