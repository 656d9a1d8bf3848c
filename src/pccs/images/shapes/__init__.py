"""Masks that are lists of objects: COCO, GeoJSON, ImageJ ROIs. Each becomes planes of numbers with names."""

from pccs.images.shapes.coco import coco_stems, read_coco
from pccs.images.shapes.geojson import read_geojson
from pccs.images.shapes.imagej import read_rois
from pccs.images.shapes.paint import Marks

__all__ = ["Marks", "coco_stems", "read_coco", "read_geojson", "read_rois"]
