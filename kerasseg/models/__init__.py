"""Architectures: functions from an input shape to a Keras model; the sections of a recipe name them."""
