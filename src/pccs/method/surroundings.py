"""What unpainted pixels say by themselves, before there is a teacher worth asking.

Strokes leave nearly every pixel of an image unknown, and a network that has seen classes in equal
shares puts objects where it has seen nothing. But whoever scribbles on an image paints the objects
they see: what they left unpainted is more often the first class than not.
"""

from __future__ import annotations

from torch import Tensor

from pccs.method.numeric import full


def background_prior(logits: Tensor, unknown: Tensor) -> Tensor:
    """Mean probability of not being the first class, over unknown pixels.

    The absolute error, not a cross-entropy: its gradient ``p (1 - p)`` vanishes where the network is
    sure, so that strokes overrule it, while a cross-entropy would press hardest just where objects are
    (Ghosh et al., arXiv 1712.09482). Learning from positive and unlabelled pixels: Kiryo et al.,
    arXiv 1703.00593.

    Parameters
    ----------
    logits : Tensor, shape (B, C, h, w)
        Before the softmax.
    unknown : Tensor, shape (B, h, w), bool
        Pixels that count.

    Returns
    -------
    Tensor, scalar
        In [0, 1]; 0 with gradient 0 when no pixel is unknown.
    """
    other = 1.0 - full(logits).softmax(1)[:, 0]
    counted = unknown.to(other.dtype)
    return (other * counted).sum() / counted.sum().clamp_min(1.0)
