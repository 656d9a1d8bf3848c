"""The napari plugin of PCCS: windows, layers, keys. No torch, and nothing that trains."""
