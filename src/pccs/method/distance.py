"""How deep a pixel lies inside its region: one exact distance pass for all classes at once.

The signed distance maps of all classes of an image hold the same information as one map: the
distance from each pixel to the nearest pixel of *another* label (pccs-method, section 4; the method
is He et al., arXiv 2502.06650). It is computed exactly, in two separable passes.
"""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK = 1 << 22
"""Elements of the largest intermediate array (16 MiB of float32)."""


def boundary_distance(labels: Tensor) -> Tensor:
    """Euclidean distance from each pixel to the nearest pixel of another label, in pixels.

    Parameters
    ----------
    labels : Tensor, shape (B, h, w), int64
        Any integers. An ignored pixel (255) is a label of its own.

    Returns
    -------
    Tensor, shape (B, h, w), float32
        At least 1; ``inf`` throughout an image with a single label, which has no boundary.

    Notes
    -----
    Let ``v`` and ``u`` be the distances to another label within the column and within the row. Then
    ``d²(x) = min(u²(x), min over x' in the row of (x - x')² + v²(x'))``. A column ``x'`` outside the
    run of ``x`` adds nothing wrong: ``(x - x')² >= u²(x)`` there.
    """
    horizontal = _along_rows(labels).square()
    width = labels.shape[-1]
    x = torch.arange(width, device=labels.device, dtype=torch.float32)
    offsets = (x[:, None] - x[None, :]).square().unsqueeze(-1)
    # Columns first, rows of all images last: the minimum then runs along memory, five times faster.
    vertical = _along_rows(labels.transpose(1, 2)).square().permute(1, 0, 2).reshape(width, -1)
    step = max(1, _CHUNK // (width * width))
    # Chunks bound the memory at large widths; a training map is a single one.
    nearest = [(chunk.unsqueeze(1) + offsets).amin(0) for chunk in torch.split(vertical, step, dim=1)]
    across = torch.cat(nearest, dim=1).view(width, len(labels), -1).permute(1, 2, 0)
    return torch.minimum(across, horizontal).sqrt()


def _along_rows(labels: Tensor) -> Tensor:
    """Distance to the nearest different label within the row; ``inf`` where there is none."""
    before = _to_run_start(labels)
    after = _to_run_start(labels.flip(-1)).flip(-1)
    return torch.minimum(before, after)


def _to_run_start(labels: Tensor) -> Tensor:
    """Distance to the pixel just before the run of equal labels that a pixel is in."""
    width = labels.shape[-1]
    position = torch.arange(width, device=labels.device).expand(labels.shape)
    starts = torch.zeros_like(position)
    starts[..., 1:] = torch.where(labels[..., 1:] != labels[..., :-1], position[..., 1:], 0)
    start = starts.cummax(-1).values
    return torch.where(start > 0, (position - start + 1).float(), torch.inf)
