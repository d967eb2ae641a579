"""An image as few points: selected, stored, and built again."""
