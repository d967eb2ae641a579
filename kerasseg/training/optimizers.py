"""How a gradient becomes a step.

Keras writes Adam's update as some forty small operations for each of a model's variables: half of LinkNet's
graph. TensorFlow has it as one operation. The numbers are the same; the first step of a training is ready a
good deal sooner, and each step on a GPU starts hundreds of kernels instead of ten thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf
from keras import ops


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
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            lr=learning_rate,
            grad=gradient,
            **self._numbers,
        )


class Adam(_Fused, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, with the same arguments and the same numbers."""


class AdamW(_Fused, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, with the same arguments and the same numbers."""


OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "sgd": keras.optimizers.SGD,
}
