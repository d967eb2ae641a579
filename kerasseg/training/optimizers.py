"""How a gradient becomes a step.

Keras writes Adam's update as some forty small operations for each of a model's variables: half of LinkNet's
graph. TensorFlow has it as one operation. The numbers are the same; the first step of a training is ready a
good deal sooner, and each step on a GPU starts hundreds of kernels instead of ten thousand.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from kerasseg.models.keras_internals import moments


class _Fused:
    """Adam's update in one operation a variable, beside weight decay and clipping."""

    def apply(self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[keras.Variable]) -> None:
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


class Adam(_Fused, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with the same arguments and the same numbers."""


class AdamW(_Fused, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, with the same arguments and the same numbers."""


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
