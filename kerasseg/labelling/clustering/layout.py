"""Tiles in the plane, those together that are alike: the scatter plot of a slide."""

from __future__ import annotations

import numpy as np

from kerasseg.console import say
from kerasseg.labelling.clustering.codes import distinct, drawn, flat, one_thread, principal

PERPLEXITY = 30


def layout(codes: np.ndarray, seed: int) -> np.ndarray:
    """Lay tiles out in the plane by t-SNE, those together whose codes are alike.

    Parameters
    ----------
    codes : numpy.ndarray, shape (N, ...), float32
        Brought to their 50 principal components first.
    seed : int
        Also draws the 2,000 tiles that are laid out where there are more.

    Returns
    -------
    numpy.ndarray, shape (N, 2), float32
        Not a number for tiles that were not drawn; all zero where all codes are one.

    References
    ----------
    van der Maaten and Hinton, JMLR 9, 2008.
    """
    from sklearn.manifold import TSNE

    codes, places = flat(codes), np.full((len(codes), 2), np.nan, np.float32)
    shown = drawn(len(codes), seed)
    seen = codes[shown]
    if distinct(seen) == 1:
        places[shown] = 0
        return places
    seen = principal(seen, seed)
    start = np.pad(seen, ((0, 0), (0, 1)))[:, :2] / seen[:, 0].std() * 1e-4  # scikit-learn's, for any width
    perplexity = min(PERPLEXITY, (len(seen) - 1) / 3)
    say(f"t-SNE of {len(seen)} tiles")
    with one_thread():
        places[shown] = TSNE(init=start, perplexity=perplexity, random_state=seed).fit_transform(seen)
    return places
