"""How good masks are: Dice, IoU, HD95, ASSD, calibration, and the comparison of two folders."""

from __future__ import annotations

from pccs.metrics.calibration import Calibration, ece
from pccs.metrics.folders import evaluate_folder
from pccs.metrics.measures import Overlap, assd, dice, hd95, iou, surface_distances

__all__ = [
    "Calibration",
    "Overlap",
    "assd",
    "dice",
    "ece",
    "evaluate_folder",
    "hd95",
    "iou",
    "surface_distances",
]
