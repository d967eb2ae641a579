"""Ways to learn, by the names that a recipe may use."""

from kerasseg.training.adversarial import adversarial
from kerasseg.training.cycle import cycle
from kerasseg.training.supervised import supervised

ENGINES = {"supervised": supervised, "adversarial": adversarial, "cycle": cycle}
