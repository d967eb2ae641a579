"""What TensorFlow computes in one operation where Keras takes many: batch normalisation, and Adam's update.

Keras writes batch normalisation as some fourteen small operations a layer, each of which goes over the whole
feature map, and Adam as some forty for each of a model's variables, half of LinkNet's graph. With one
operation for each, and one for the gradient, a training step takes three quarters of the time, the first step
is ready a good deal sooner, and a step on a GPU starts hundreds of kernels instead of ten thousand. SiLU
takes a quarter of its operations where its sigmoid is kept for the gradient, and not worked out again. What
is convolved after it was doubled is computed at the small size, as `kerasseg.models.doubling` says.

Adam's numbers are the same. Keras' moving statistics are not: they begin at 0 and 1, and at a momentum of
0.99 hold more of that than of the data for seventy steps, so that on few images validation finds nothing for
many epochs, and patience ends the training. Here they are the mean of all steps so far until that is the
slower of the two, so they never hold what was not seen. Statistics that came with weights, of ImageNet or
of another run, are gone on from: only those that a layer was made with are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from keras import ops

from kerasseg.models.doubling import DoublingConvolution, doubling
from kerasseg.models.keras_internals import decay_no_more, moments, position
from kerasseg.training.devices import place


class FusedBatchNormalization(keras.layers.Layer):
    """What a `keras.layers.BatchNormalization` computes, with that layer's own variables.

    Parameters
    ----------
    layer : keras.layers.BatchNormalization
        Over the last axis. It owns the variables, so whatever is learnt here is learnt there.

    Attributes
    ----------
    is_frozen : callable, optional
        Says in each step, as a boolean tensor, whether the moving statistics are to be taken in training too,
        and to stay as they are; None is never.
    """

    def __init__(self, layer: keras.layers.BatchNormalization) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self.layer = layer
        self.is_frozen: Callable[[], tf.Tensor] | None = None
        options = {"trainable": False, "autocast": False, "name": "steps"}
        self.steps = self.add_weight((), keras.initializers.Constant(_steps_before(layer)), **options)

    def call(self, x: tf.Tensor, training: bool = False, mask: None = None) -> tf.Tensor:
        """Normalise `(B, ..., C)` by its own statistics in training, by the moving ones otherwise.

        Keras' layer takes masks, so a copied model hands one over; feature maps have none.
        """
        moving = (self.layer.moving_mean, self.layer.moving_variance)
        if not (training and self.layer.trainable):
            return self._normalised(x, *moving)[0]
        if place(tf.distribute.get_strategy())[1] > 1:
            return self._normalised_by_all(x)
        if self.is_frozen is None:
            normalised, *statistics = self._normalised_by_batch(x)
        else:
            branches = lambda: self._normalised(x, *moving), lambda: self._normalised_by_batch(x)
            normalised, *statistics = tf.cond(self.is_frozen(), *branches)
        self._follow(*statistics)
        return normalised

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Keras would trace `call` to find this."""
        return input_shape

    def _normalised_by_batch(self, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # Of no elements, as the operation wants it: it takes the statistics from the batch.
        nothing = tf.constant((), "float32")
        normalised, mean, variance = self._normalised(x, nothing, nothing, is_training=True)
        pixels = _pixels(x)
        return normalised, mean, variance * ((pixels - 1) / pixels)  # as Keras: not Bessel's

    def _normalised_by_all(self, x: tf.Tensor) -> tf.Tensor:
        """Normalise by the statistics of all workers' equal shares: those of the batch that they are."""
        mean_of = tf.distribute.get_replica_context().all_reduce
        values, axes = ops.cast(x, "float32"), tuple(range(len(x.shape) - 1))
        mean = mean_of("MEAN", ops.mean(values, axis=axes))
        variance = mean_of("MEAN", ops.mean(ops.square(values - mean), axis=axes))
        self._follow(mean, variance)
        if self.is_frozen is not None:
            mean = ops.where(self.is_frozen(), self.layer.moving_mean, mean)
            variance = ops.where(self.is_frozen(), self.layer.moving_variance, variance)
        gamma, beta = (ops.cast(each, "float32") for each in (self.layer.gamma, self.layer.beta))
        normalised = (values - mean) * ops.rsqrt(variance + self.layer.epsilon)
        return ops.cast(normalised * gamma + beta, x.dtype)

    def _normalised(
        self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, **options
    ) -> tuple[tf.Tensor, ...]:
        # The operation knows no volumes: they are handed over as images of one row.
        images = x if len(x.shape) == 4 else ops.reshape(x, (-1, 1, 1, x.shape[-1]))
        scale, offset, mean, variance = (
            ops.cast(values, "float32") for values in (self.layer.gamma, self.layer.beta, mean, variance)
        )
        images, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=scale,
            offset=offset,
            mean=mean,
            variance=variance,
            **({"is_training": False} | options),
            epsilon=self.layer.epsilon,
        )
        return images if len(x.shape) == 4 else ops.reshape(images, ops.shape(x)), mean, variance

    def _follow(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Move the moving statistics towards those of a batch, and count it."""
        share, step = ops.maximum(1 - self.layer.momentum, 1 / (self.steps + 1)), 1.0
        if self.is_frozen is not None:
            share, step = (ops.where(self.is_frozen(), 0.0, value) for value in (share, step))
        for moving, value in ((self.layer.moving_mean, mean), (self.layer.moving_variance, variance)):
            moving.value.assign_add(share * (value - moving))
        self.steps.value.assign_add(step)


def _pixels(x: tf.Tensor) -> tf.Tensor | int:
    """Count the pixels of `(B, ..., C)`: a number where the shape is known, which takes no operation."""
    numbers = x.shape.num_elements()
    return ops.cast(ops.size(x) // x.shape[-1], "float32") if numbers is None else numbers // x.shape[-1]


def _steps_before(layer: keras.layers.BatchNormalization) -> float:
    """Count the steps that the moving statistics stand for: none, or as many as the momentum remembers."""
    if not layer.built:
        return 0.0
    mean, variance = (ops.convert_to_numpy(each) for each in (layer.moving_mean, layer.moving_variance))
    untouched = not mean.any() and (variance == 1).all()
    return 0.0 if untouched else layer.momentum / (1 - layer.momentum)


def fused(model: keras.Model) -> keras.Model:
    """Make a model that computes the same with the same variables, and faster.

    Parameters
    ----------
    model : keras.Model
        Functional.

    Returns
    -------
    keras.Model
        Training it trains `model`.
    """
    return keras.models.clone_model(doubling(model, DoublingConvolution), clone_function=_fused_layer)


def _fused_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.BatchNormalization):
        return FusedBatchNormalization(layer)
    if isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.silu:
        return keras.layers.Activation(_silu, name=layer.name, dtype=layer.dtype_policy)
    return layer


def _silu(x: tf.Tensor) -> tf.Tensor:
    """``x sigmoid(x)``; TensorFlow's own works the sigmoid out twice, so that it need not be kept."""
    return x * tf.sigmoid(x)


class _Fused:
    """Adam's update in one operation a variable, beside weight decay and clipping."""

    def add_variable_from_reference(
        self, reference_variable: keras.Variable, name: str | None = None, initializer: str = "zeros"
    ) -> keras.Variable:
        """Make a moment; all of a kind have one name: TensorFlow takes five times as long for a new one."""
        of = reference_variable
        with tf.distribute.get_strategy().extended.colocate_vars_with(of.value):
            return self.add_variable(of.shape, initializer, of.dtype, name=name)

    def apply(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """Change every variable; what is the same for all of them is worked out here, once."""
        step = ops.cast(self.iterations + 1, "float32")
        self._numbers = {
            "beta1": tf.constant(self.beta_1),
            "beta2": tf.constant(self.beta_2),
            "beta1_power": self.beta_1**step,
            "beta2_power": self.beta_2**step,
            "epsilon": tf.constant(self.epsilon),
        }
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Change a variable and its two moments in place."""
        momentum, velocity = moments(self, variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.value.handle,
            v=velocity.value.handle,
            lr=learning_rate,
            grad=gradient,
            **self._numbers,
        )


class _Slowing:
    """An update by a share of the learning rate, for some variables; weight decay is a part of it."""

    slowed: frozenset[int] = frozenset()
    share: keras.Variable | float = 1.0

    def slow_down(self, variables: Sequence[keras.Variable], share: keras.Variable) -> None:
        """Let some of the variables for which this is built change as `share`, read at each step, says."""
        self.slowed, self.share = frozenset(position(self, variable) for variable in variables), share
        decay_no_more(self, variables)

    def apply(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """Change every variable; both rates are read here, once."""
        self._rate = ops.convert_to_tensor(self.learning_rate)
        self._slow_rate = self._rate * self.share
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: keras.Variable) -> None:
        """Change a variable in place."""
        is_slowed = position(self, variable) in self.slowed
        if is_slowed and self.weight_decay:
            variable.assign_sub(variable * self.weight_decay * self._slow_rate)
        super().update_step(gradient, variable, self._slow_rate if is_slowed else self._rate)


class Adam(_Slowing, _Fused, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with the same arguments and the same numbers."""


class AdamW(_Slowing, _Fused, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, with the same arguments and the same numbers."""


class SGD(_Slowing, keras.optimizers.SGD):
    """`keras.optimizers.SGD`, with the same arguments and the same numbers."""


def renewed(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]
) -> keras.optimizers.Optimizer:
    """Make an optimiser with the same arguments, ready for these variables.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        Its arguments are used, and not itself: it may be made anywhere, while a strategy refuses one that was
        made outside its scope, where this is to be called.
    variables : sequence of keras.Variable
        What it will change.

    Returns
    -------
    keras.optimizers.Optimizer
        Built. In float16 it scales losses, whose gradients would vanish.
    """
    optimizer = type(optimizer).from_config(optimizer.get_config())
    if keras.config.dtype_policy().name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def rate(optimizer: keras.optimizers.Optimizer) -> float:
    """0.01 and not 0.009999999776: float32, in which an optimiser keeps its rate, holds seven digits."""
    return float(f"{float(ops.convert_to_numpy(optimizer.learning_rate)):.7g}")
