"""What we use of Keras that it does not promise to keep: all of it is here, and nowhere else.

setup.cfg allows only versions of Keras with which ``tests/models/test_keras_internals.py`` passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import keras


def steps(model: keras.Model) -> Iterator[tuple[keras.Operation, list[keras.KerasTensor], keras.KerasTensor]]:
    """Yield each layer of a functional model with its inputs and its output, from the answer to the image.

    A layer comes after all layers that take its output.
    """
    for _, nodes in sorted(model._nodes_by_depth.items()):
        for node in nodes:
            yield node.operation, node.input_tensors, node.outputs[0]


def layer_of(tensor: keras.KerasTensor) -> keras.Operation:
    """Find the layer whose output a tensor is."""
    return tensor._keras_history.operation


def successions(model: keras.Model) -> Iterator[tuple[keras.Operation, keras.Operation]]:
    """Yield two layers wherever the second alone reads what the first makes, and both are called once."""
    calls = [(operation, [layer_of(x) for x in inputs]) for operation, inputs, _ in steps(model)]
    times = Counter(operation for operation, _ in calls)
    readers = Counter(source for _, sources in calls for source in sources)
    readers.update(layer_of(x) for x in model.outputs)
    for operation, sources in calls:
        if len(sources) == 1 and times[operation] == times[sources[0]] == readers[sources[0]] == 1:
            yield sources[0], operation


def moments(adam: keras.optimizers.Adam, variable: keras.Variable) -> tuple[keras.Variable, keras.Variable]:
    """Find what Adam keeps of a variable: the means of its gradients and of their squares."""
    index = position(adam, variable)
    return adam._momentums[index], adam._velocities[index]


def position(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> int:
    """Find which of the variables for which an optimiser is built this is."""
    return optimizer._get_variable_index(variable)


def decay_no_more(optimizer: keras.optimizers.Optimizer, variables: Iterable[keras.Variable]) -> None:
    """Exclude variables from weight decay; Keras' own method refuses where the optimiser is built."""
    optimizer._exclude_from_weight_decay = {optimizer._var_key(variable) for variable in variables}
    optimizer._exclude_from_weight_decay_cache = {}


def random_states(model: keras.Model) -> list[keras.Variable]:
    """List the states that layers draw from: ``(2,)`` each."""
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]
