"""The network: a U-Net that exposes its features, and the teacher that averages it."""

from pccs.nets.facts import ModelFacts
from pccs.nets.teacher import Teacher, momentum
from pccs.nets.unet import SegmentationNet

__all__ = ["ModelFacts", "SegmentationNet", "Teacher", "momentum"]
