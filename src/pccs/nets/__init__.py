"""The network: a U-Net that exposes its features, and the teacher that averages it."""

from pccs.nets.teacher import Teacher, momentum
from pccs.nets.unet import SegmentationNet

__all__ = ["SegmentationNet", "Teacher", "momentum"]
