"""The learning curve of the labelling loop: how good a model is that learnt from so many labelled tiles.

Every model is of one size, trained from scratch for the same number of steps, and judged on the same test
tiles. What differs is how many tiles it learnt from, by which policy they were drawn, and who labelled them:

- **labelled**: the truth, or a person, drew every mask;
- **proposed**: a model that learnt from the first tiles proposes masks for further ones, a simulated reviewer
  accepts some and fixes nothing, and a new model learns from these and the first; in the next round that one
  proposes masks for what was rejected and for further tiles.

A point is on the disk as soon as it is known, so a curve that was killed goes on where it was.
"""
