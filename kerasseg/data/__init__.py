"""Samples to batches: sources, splits, patches, augmentation, and the pipeline that feeds a model."""
