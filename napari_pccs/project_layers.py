"""A project as plain layers, where there is no window for the panel."""

from __future__ import annotations

from typing import Any, TypeAlias

from napari_pccs.layer_looks import class_colormap
from pccs.project import Project

LayerData: TypeAlias = tuple[Any, ...]
"""``(data, attributes, type)`` as napari takes layers; ``(None,)`` says that none is to be added."""


def first_layers(project: Project) -> list[LayerData]:
    """Image and annotation of the first annotated item (or the first item) of a project.

    Image ``(H, W)`` or, with colours, ``(H, W, 3)``; annotation ``uint8 (H, W)``. No layer of an
    empty project.
    """
    if not len(project.items):
        return [(None,)]
    annotated = project.annotated_items()
    item = project.item(annotated[0]) if annotated else project.items[0]
    plane = project.image(item)
    rgb = "S" in project.sources[item.stem].info.axes and plane.shape[-1] == 3
    look: dict[str, Any] = {"name": item.name}
    if rgb:
        look["rgb"] = True
    elif plane.shape[-1] == 1:
        plane = plane[..., 0]
    else:
        look["channel_axis"] = 2
    labels = {
        "name": f"{item.name} annotation",
        "colormap": class_colormap(project.classes),
        "metadata": export_table(project),
    }
    return [(plane, look, "image"), (project.annotation(item), labels, "labels")]


def export_table(project: Project) -> dict[str, Any]:
    """Layer metadata from which the writer knows the values to export."""
    return {"pccs_export": {label.value: label.export for label in project.classes}}
