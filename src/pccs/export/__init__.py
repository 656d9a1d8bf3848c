"""Results as files: masks, maps, measurements and the model, in the formats others read."""

from pccs.export.base import ItemPrediction, ItemPredictor, Writer
from pccs.export.formats import FORMATS
from pccs.export.loose import images_for
from pccs.export.results import WHAT, export_project
from pccs.export.segment import segment_to_folder, without_project
from pccs.tidy import Cleaning

__all__ = [
    "FORMATS",
    "WHAT",
    "Cleaning",
    "ItemPrediction",
    "ItemPredictor",
    "Writer",
    "export_project",
    "images_for",
    "segment_to_folder",
    "without_project",
]
