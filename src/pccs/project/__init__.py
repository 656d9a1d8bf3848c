"""The project folder ``NAME.pccs/``: classes, images, annotations, predictions, training runs."""

from pccs.project.facts import ItemFacts
from pccs.project.items import Item, Source
from pccs.project.models import ModelRef
from pccs.project.predictions import SnapshotRef
from pccs.project.project import Project
from pccs.project.runs import Run

__all__ = ["Item", "ItemFacts", "ModelRef", "Project", "Run", "SnapshotRef", "Source"]
