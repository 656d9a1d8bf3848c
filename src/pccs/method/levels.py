"""Level sets: the pixels of a region grouped by how deep they lie (pccs-method, section 5).

A region is one class in one image. Depth is cut into bins of equal width in the *logarithm* of the
distance to the boundary, relative to the deepest pixel of the region. The paper leaves the bins
open. In a disc the rings of equal width hold 7:5:3:1 of its pixels, those of equal log-width are
about equal; the rule is the same at every magnification, and the boundary ring stays one pixel thin.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LABELS = 256
"""Room for every training index and for the ignored pixels."""


def level_index(distance: Tensor, labels: Tensor, levels: int) -> Tensor:
    """Level of each pixel within its region: 0 on the boundary, ``levels - 1`` at the innermost.

    Parameters
    ----------
    distance : Tensor, shape (B, h, w), float32
        From :func:`pccs.method.distance.boundary_distance`.
    labels : Tensor, shape (B, h, w), int64
        Values in ``[0, 255]``.
    levels : int
        Number of levels a region may have; the first and the last exist in every region with at
        least two different depths, those between only if some pixel is that deep.

    Returns
    -------
    Tensor, shape (B, h, w), int64
        Values in ``[0, levels)``. A region one pixel thin, and an image with a single label (distance
        ``inf``), are level 0 throughout.
    """
    depth = torch.where(distance.isfinite(), distance, 1.0).log()
    region = labels + _LABELS * torch.arange(len(labels), device=labels.device).view(-1, 1, 1)
    deepest = depth.new_zeros(len(labels) * _LABELS)
    deepest = deepest.scatter_reduce(0, region.flatten(), depth.flatten(), "amax")
    # The innermost pixel divides its own depth by itself: exactly 1, whatever the rounding.
    relative = depth / deepest[region].clamp_min(1e-6)
    return (relative * levels).long().clamp_(0, levels - 1)
