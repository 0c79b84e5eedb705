"""How alike are two representations of the same examples?

Two ways, both blind to turns of the units' axes: matrices of how unlike the examples are in each
(representational similarity analysis, Kriegeskorte et al. 2008), and the linear centred kernel
alignment (Kornblith et al. 2019). Widths may differ.
"""

from __future__ import annotations

import numpy as np

from sgdni._util.checks import check_labels, check_matrix, check_same_shape


def dissimilarity(h: np.ndarray) -> np.ndarray:
    """Return 1 - the correlation of every two examples' activations: (N, N) for h (N, n).

    An example whose activations do not vary correlates with none: 1, also with itself.
    """
    check_matrix("representation", h)
    z = h - h.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(z, axis=1, keepdims=True)
    z = np.divide(z, norms, out=np.zeros_like(z), where=norms > 0)
    return 1 - z @ z.T


def rsa(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two matrices of dissimilarities (N, N), each pair counted once."""
    check_same_shape("dissimilarities", b, a.shape)
    above = np.triu_indices(len(a), 1)
    return float(np.corrcoef(a[above], b[above])[0, 1])


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Return ||a'b||^2 / (||a'a|| ||b'b||) of centred a (N, n) and b (N, m): 0 to 1.

    1 where one is a turn of the other, times a number. N should be well above n and m: with few
    examples any two are alike.
    """
    check_matrix("representation", a)
    check_matrix("representation", b)
    if len(a) != len(b):
        raise ValueError(f"representations: expected as many examples, got {len(a)} and {len(b)}")
    a, b = (h - h.mean(axis=0) for h in (a.astype(float), b.astype(float)))
    shared, own, other = (np.linalg.norm(p.T @ q) for p, q in ((a, b), (a, a), (b, b)))
    return float(shared**2 / (own * other)) if own and other else 0.0


def contrast(d: np.ndarray, y: np.ndarray) -> float:
    """Return how much more unlike are examples of different classes than of one, on average.

    d (N, N) are dissimilarities, y (N,) labels.
    """
    check_labels("labels", y, (len(d),), int(np.max(y)) + 1)
    same = y[:, None] == y
    apart, others = ~same, same & ~np.eye(len(y), dtype=bool)
    return float(d[apart].mean() - d[others].mean())
