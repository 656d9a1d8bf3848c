"""The engine of napari-pccs: images, projects, the PCCS method, training, prediction. No GUI."""

__version__ = "0.1.0"
