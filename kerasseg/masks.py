"""What the numbers in a mask mean: 0 is background, 1, 2, ... are the classes, 255 is no matter what.

A mask is uint8, which leaves 254 numbers for classes.
"""

BACKGROUND = 0
IGNORE = 255
"""Of pixels that nothing is learnt from and no score counts: in masks, and in all channels of targets."""

MOST_CLASSES = IGNORE - 1
