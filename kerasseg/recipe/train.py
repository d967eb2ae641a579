"""How weights change: optimisers, early stopping, learning rate, precision and devices."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kerasseg.recipe.losses import NotNegative, Weights
from kerasseg.recipe.models import AnyDiscriminator, Patchgan
from kerasseg.recipe.section import Component, Count, Positive, Rate, Section, one_of

Decay = Annotated[float, Field(ge=0, lt=1)]


class Adam(Component):
    """Adam (Kingma and Ba 2014)."""

    name: ClassVar[str] = "adam"
    builder: ClassVar[str] = "kerasseg.training.optimizers:Adam"

    learning_rate: Rate = 0.001
    """Step size to begin with."""
    beta_1: Decay = 0.9
    """Decay of the mean of gradients."""
    beta_2: Decay = 0.999
    """Decay of the mean of squared gradients."""
    epsilon: Rate = 1e-7
    """Keeps the step finite."""
    clipnorm: Rate | None = None
    """Largest norm of each gradient."""


class Adamw(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: ClassVar[str] = "adamw"
    builder: ClassVar[str] = "kerasseg.training.optimizers:AdamW"

    weight_decay: Annotated[float, Field(ge=0)] = 0.004
    """Share of every weight that a step of size one takes away."""


class Sgd(Component):
    """Stochastic gradient descent."""

    name: ClassVar[str] = "sgd"
    builder: ClassVar[str] = "keras.optimizers:SGD"

    learning_rate: Rate = 0.01
    """Step size to begin with."""
    momentum: Decay = 0.0
    """Share of the last step that is taken again."""
    nesterov: bool = False
    """Whether the gradient is taken where momentum leads."""
    clipnorm: Rate | None = None
    """Largest norm of each gradient."""


AnyOptimizer = one_of("optimizer", Adam, Adamw, Sgd)


class EarlyStopping(Section):
    """Ends a training that no longer improves."""

    patience: Positive = 3
    """Epochs without a better validation loss after which training ends."""
    start_from_epoch: Count = 0
    """Epochs before patience counts."""


class Plateau(Component):
    """Lowers the learning rate where training no longer improves."""

    name: ClassVar[str] = "plateau"
    builder: ClassVar[str] = "kerasseg.training.schedule:plateau"

    patience: Positive = 2
    """Epochs without a better validation loss after which the rate falls."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the rate is multiplied by."""
    minimum: Annotated[float, Field(ge=0)] = 0.0
    """The lowest rate."""


class Cosine(Component):
    """Lowers the learning rate along half a cosine, over all epochs (Loshchilov and Hutter 2017)."""

    name: ClassVar[str] = "cosine"
    builder: ClassVar[str] = "kerasseg.training.schedule:cosine"

    warmup: Count = 0
    """Epochs in which the rate rises to the optimiser's."""
    minimum: Annotated[float, Field(ge=0)] = 0.0
    """The rate at the end."""


AnySchedule = one_of("schedule", Plateau, Cosine)


class Supervised(Component):
    """Every image is learnt with its mask."""

    name: ClassVar[str] = "supervised"
    builder: ClassVar[str] = "kerasseg.training.supervised:supervised"


class Adversarial(Component):
    """Beside the loss, a discriminator judges masks with their images: Vox2Vox, in two dimensions pix2pix."""

    name: ClassVar[str] = "adversarial"
    builder: ClassVar[str] = "kerasseg.training.adversarial:adversarial"

    discriminator: AnyDiscriminator = Patchgan()
    """Network that tells true masks from those of the model."""
    discriminator_optimizer: AnyOptimizer = Adam()
    """Optimiser of the discriminator; train.optimizer is the model's."""
    weight: NotNegative = 5.0
    """Of the loss beside the discriminator's opinion."""


class Cycle(Component):
    """Images and masks need not belong together: CycleGAN (Zhu et al. 2017)."""

    name: ClassVar[str] = "cycle"
    builder: ClassVar[str] = "kerasseg.training.cycle:cycle"

    discriminator: AnyDiscriminator = Patchgan()
    """Network that tells true masks from translated ones; another of its kind does so for images."""
    discriminator_optimizer: AnyOptimizer = Adam()
    """Optimiser of both discriminators; train.optimizer is that of the model and of its counterpart."""
    cycle_weight: NotNegative = 10.0
    """Of the distance of images and masks from themselves, there and back again."""
    identity_weight: NotNegative = 5.0
    """Of what a network changes that makes this kind already, class by class as the images' channels; 0 where
    these are others."""
    class_weights: Weights | None = None
    """What each class counts in distances of masks, as in data.classes; null is 1 for each."""
    replay: Count = 0
    """Past translations that discriminators may be shown again; the paper has 50."""
    choose_by: Literal["cycle", "truth"] = "cycle"
    """Which epoch is kept: images return best from a cycle, or the loss is lowest, where truth is known."""


AnyEngine = one_of("engine", Supervised, Adversarial, Cycle)


class Train(Section):
    """How, how long, how fast and on what."""

    engine: AnyEngine = Supervised()
    """What the model learns from: targets, a discriminator beside them, or images and masks unpaired."""
    epochs: Positive = 50
    """Most epochs."""
    batch_size: Positive = 8
    """Images or patches in a step."""
    steps_per_epoch: Positive | None = None
    """Steps in an epoch; null is one pass over the training samples."""
    optimizer: AnyOptimizer = Adam()
    """How a gradient becomes a step."""
    early_stopping: EarlyStopping | None = None
    """When to end early; null is never."""
    schedule: AnySchedule | None = None
    """How the learning rate falls; null is never."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """Of the computation; auto is float32 on a CPU and mixed on a GPU."""
    devices: Literal["auto", "cpu", "mirrored"] = "auto"
    """What computes; mirrored is every GPU of this machine."""
