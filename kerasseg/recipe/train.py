"""How a model learns: losses, optimisers, learning rates, engines, precision and devices."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kerasseg.recipe.models import AnyDiscriminator, Patchgan
from kerasseg.recipe.section import Component, Count, Positive, Rate, Section, Share, one_of

Decay = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]
Weights = Annotated[tuple[NotNegative, ...], Field(strict=False, min_length=1)]


class Loss(Component):
    """Keys of every loss."""

    class_weights: Weights | None = None
    """Weight of each class, as in data.classes (with softmax, the background first); null is 1 for each."""


class Combo(Loss):
    """alpha * weighted cross-entropy + (1 - alpha) * Dice loss (Taghanaki et al. 2019)."""

    name: ClassVar[str] = "combo"
    builder: ClassVar[str] = "kerasseg.training.losses:combo"

    alpha: Share = 0.5
    """Weight of the cross-entropy; the Dice loss has the rest."""
    beta: Share = 0.5
    """Weight of the foreground in the cross-entropy; at 0.5 that term is half the plain cross-entropy."""
    smooth: NotNegative = 1.0
    """Added above and below the Dice ratio, so that an empty image has one."""


class Bce(Loss):
    """Plain cross-entropy of every class against the rest."""

    name: ClassVar[str] = "bce"
    builder: ClassVar[str] = "kerasseg.training.losses:bce"


class Dice(Loss):
    """One minus the soft Dice coefficient."""

    name: ClassVar[str] = "dice"
    builder: ClassVar[str] = "kerasseg.training.losses:dice"

    smooth: NotNegative = 1.0
    """Added above and below the ratio, so that an empty image has one."""


class Focal(Loss):
    """Cross-entropy in which pixels that are nearly right count less (Lin et al. 2017)."""

    name: ClassVar[str] = "focal"
    builder: ClassVar[str] = "kerasseg.training.losses:focal"

    gamma: NotNegative = 2.0
    """How much less they count; 0 is the weighted cross-entropy."""
    beta: Share = 0.25
    """Weight of the foreground (Lin's alpha)."""


class Tversky(Loss):
    """An overlap in which missing a pixel and adding one cost differently (Salehi et al. 2017)."""

    name: ClassVar[str] = "tversky"
    builder: ClassVar[str] = "kerasseg.training.losses:tversky"

    alpha: NotNegative = 0.3
    """Cost of a false positive."""
    beta: NotNegative = 0.7
    """Cost of a false negative."""
    smooth: NotNegative = 1.0
    """Added above and below the ratio, so that an empty image has one."""


AnyLoss = one_of("loss", Combo, Bce, Dice, Focal, Tversky)


class Adam(Component):
    """Adam (Kingma and Ba 2014)."""

    name: ClassVar[str] = "adam"
    builder: ClassVar[str] = "kerasseg.training.keras_speedups:Adam"

    learning_rate: Rate = 0.001
    """Learning rate of the first epoch."""
    beta_1: Decay = 0.9
    """Decay of the mean of gradients."""
    beta_2: Decay = 0.999
    """Decay of the mean of squared gradients."""
    epsilon: Rate = 1e-7
    """Small number that keeps the step finite."""
    clipnorm: Rate | None = None
    """Largest norm of each gradient."""


class Adamw(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: ClassVar[str] = "adamw"
    builder: ClassVar[str] = "kerasseg.training.keras_speedups:AdamW"

    weight_decay: Annotated[float, Field(ge=0)] = 0.004
    """Share of every weight that a step at a learning rate of one takes away."""


class Sgd(Component):
    """Stochastic gradient descent."""

    name: ClassVar[str] = "sgd"
    builder: ClassVar[str] = "kerasseg.training.keras_speedups:SGD"

    learning_rate: Rate = 0.01
    """Learning rate of the first epoch."""
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
    """Number that the rate is multiplied by."""
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


class Step(Component):
    """Lowers the learning rate at given moments of the training."""

    name: ClassVar[str] = "step"
    builder: ClassVar[str] = "kerasseg.training.schedule:step"

    milestones: Annotated[tuple[Share, ...], Field(strict=False, min_length=1)] = (0.5,)
    """Shares of the epochs after which the rate falls; 0.5 is midway."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Number that the rate is multiplied by, each time."""


AnySchedule = one_of("schedule", Plateau, Cosine, Step)


class Supervised(Component):
    """Every image is learnt with its mask."""

    name: ClassVar[str] = "supervised"
    builder: ClassVar[str] = "kerasseg.training.supervised:supervised"


class Adversarial(Component):
    """Beside the loss, a discriminator compares masks with the true ones: Vox2Vox, in 2-D pix2pix."""

    name: ClassVar[str] = "adversarial"
    builder: ClassVar[str] = "kerasseg.training.adversarial:adversarial"

    discriminator: AnyDiscriminator = Patchgan()
    """Network that tells true masks from those of the model."""
    discriminator_optimizer: AnyOptimizer = Adam()
    """Optimiser of the discriminator; train.optimizer is the model's."""
    weight: NotNegative = 5.0
    """Weight of the loss beside what the discriminator says."""


class Cycle(Component):
    """Images and masks need not belong together: CycleGAN (Zhu et al. 2017)."""

    name: ClassVar[str] = "cycle"
    builder: ClassVar[str] = "kerasseg.training.cycle:cycle"

    discriminator: AnyDiscriminator = Patchgan()
    """Network that tells true masks from translated ones; another of its kind does so for images."""
    discriminator_optimizer: AnyOptimizer = Adam()
    """Optimiser of both discriminators; train.optimizer is that of the model and of its counterpart."""
    cycle_weight: NotNegative = 10.0
    """Weight of the distance of images and masks from themselves after a cycle."""
    identity_weight: NotNegative = 5.0
    """Weight of what a network changes in what it should leave as it is, such as a mask given to the network
    that makes masks; 0 where images have other channels than masks."""
    class_weights: Weights | None = None
    """Weight of each class in distances of masks, in the order of data.classes; null is 1 each."""
    replay: Count = 0
    """Number of past translations that discriminators are shown again; the paper has 50."""
    choose_by: Literal["cycle", "truth"] = "cycle"
    """Epoch that is kept: the one whose images return best from a cycle, or, with truth, of least loss."""


class Guided(Component):
    """Beside the loss, a budget of points and the image that they rebuild guide the model: GU-Net."""

    name: ClassVar[str] = "guided"
    builder: ClassVar[str] = "kerasseg.training.guided:guided"

    weight: NotNegative = 1.0
    """Weight of the loss, which compares the points with those of `key_points.target`."""
    budget_weight: NotNegative = 40.0
    """Weight of the difference between the number of points and `key_points.points`, as a share of the
    pixels."""
    shape_weight: NotNegative = 5.0
    """Weight of one minus the similarity (SSIM) of the rebuilt image and the image."""
    ssim: Literal["global", "windowed"] = "global"
    """Whether similarity has one mean and variance an image, or those of windows of 11 x 11 pixels."""
    slope: Rate = 10.0
    """Slope of the sigmoid whose gradient stands in for that of the threshold, `evaluate.threshold`."""
    warmup: Count = 3
    """Epochs in which the loss alone is learnt; without any, many networks come to choose no point."""


AnyEngine = one_of("engine", Supervised, Adversarial, Cycle, Guided)


class EncoderRate(Section):
    """How much an encoder that has learnt already goes on learning; `model` must have one."""

    frozen_epochs: Count = 0
    """Epochs at the beginning in which it learns nothing, while the rest learns to use it."""
    rate: Share = 0.1
    """Share of the learning rate at which it learns after them; 0 is never."""


class Train(Section):
    """How the model is trained, for how long, and on what."""

    engine: AnyEngine = Supervised()
    """What the model learns from: targets, a discriminator beside them, or unpaired images and masks."""
    start_from: str | None = None
    """Trained model whose weights are gone on from, as many as fit: its run's folder, such as runs/cells/1;
    null begins anew."""
    encoder: EncoderRate | None = None
    """How much the encoder goes on learning, if it has learnt already; null is as the rest of the model."""
    epochs: Positive = 50
    """Largest number of epochs."""
    batch_size: Positive = 8
    """Images or patches in a step."""
    steps_per_epoch: Positive | None = None
    """Steps in an epoch; null is one pass over the training samples."""
    optimizer: AnyOptimizer = Adam()
    """Optimiser of the model."""
    early_stopping: EarlyStopping | None = None
    """When to end early; null is never."""
    schedule: AnySchedule | None = None
    """How the learning rate falls; null is never."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """Precision of the computation; auto is float32 on a CPU and mixed on a GPU."""
    devices: Literal["auto", "cpu", "mirrored", "workers"] = "auto"
    """Devices that compute; mirrored takes every GPU of this machine, workers those of many processes."""
