"""The rows of tiles of a large image looked at apart, by processes that know nothing of one another.

One of them settles the normalisation (:func:`settled_for`); each row is looked at with what it gave
(:func:`look_at_row`), and becomes lines of the image as soon as the row above it is there (:func:`see_row`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from pccs.images import SourceInfo
from pccs.nets import SegmentationNet
from pccs.nets.settled import settled_with
from pccs.nets.unet import DEEPEST
from pccs.predict import tiles
from pccs.predict.bands import grown, one_row
from pccs.predict.prediction import Prediction
from pccs.predict.predictor import Predictor
from pccs.project import Item, Project


def rows_of_tiles(predictor: Predictor, info: SourceInfo) -> int:
    """In how many rows of tiles a plane of ``info`` is predicted; 1 when it goes through in one piece."""
    height, width = predictor.working_size(info)
    padded = [n + -n % DEEPEST for n in (height, width)]
    return 1 if math.prod(padded) <= tiles.WHOLE else len(tiles.rows_of_tiles(height))


def settled_for(predictor: Predictor, project: Project, item: str | Item) -> dict[str, NDArray[np.float32]]:
    """The network as all tiles of an item are seen by: its weights by name."""
    picture = tiles.Padded(predictor.unread(project, item), predictor.device)
    seeing = tiles.settled(predictor.net, picture)
    return {name: values.cpu().numpy() for name, values in seeing.state_dict().items()}


def look_at_row(
    predictor: Predictor,
    project: Project,
    item: str | Item,
    row: int,
    weights: Mapping[str, NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Probabilities ``(C, h, w)`` of one row of tiles at the working scale; nothing else is read.

    ``weights`` is what :func:`settled_for` gives.
    """
    assert isinstance(predictor.net, SegmentationNet)
    seeing = settled_with(predictor.net, weights)
    shares = one_row(seeing, predictor.unread(project, item), row, predictor.device)
    found: NDArray[np.float32] = shares.cpu().numpy()
    return found


def see_row(
    predictor: Predictor,
    info: SourceInfo,
    row: int,
    shares: NDArray[np.float32],
    above: NDArray[np.float32] | None,
) -> Prediction | None:
    """The lines of the image that a row of tiles completes, at its own size; ``None`` if there are none.

    Parameters
    ----------
    shares
        What :func:`look_at_row` gives.
    above
        ``(C, 1, w)``, the last line of the row of tiles before; ``None`` for the first row.
    """
    height, _ = predictor.working_size(info)
    placed = torch.from_numpy(shares).to(predictor.device)
    before = None if above is None else torch.from_numpy(above).to(predictor.device)
    parts = [part for _, part in grown(placed, before, row, height, info.plane_shape)]
    if not parts:
        return None
    seen = predictor.seen(torch.cat(parts, dim=1), probabilities=True)
    assert isinstance(seen, Prediction)
    return seen
