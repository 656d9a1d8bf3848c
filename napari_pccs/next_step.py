"""The one next thing to do on a stage that cannot do its own work yet, as a sentence and a button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from napari_pccs.actions import Actions

Way: TypeAlias = Literal["folder", "layers", "annotate", "train", "bring-back"]
"""What the button does: open a folder, use the open layers, go and paint, train, show the layer again."""


@dataclass(frozen=True)
class NextStep:
    """A sentence, the words of the button below it, and what the button does."""

    sentence: str
    words: str
    way: Way


def next_step(stage: str, actions: Actions, *, open_layers: int, paper: bool) -> NextStep | None:
    """What to do first on ``stage``; ``None`` when the stage can do its own work.

    Parameters
    ----------
    stage
        Name of the stage.
    actions
        The session's actions, which know what is missing.
    open_layers
        Image layers in the viewer that could be used.
    paper
        Whether the layer that is painted on is there.
    """
    session = actions.session
    if session.project is None or not len(session.project.items):
        return _images(session.project is None, open_layers)
    if stage == "annotate" and not paper:
        return NextStep(
            "The Annotation layer was removed. What you painted is saved.", "Bring it back", "bring-back"
        )
    missing = actions.why_not_train()
    if stage == "train" and missing and not session.training.active:
        return NextStep(missing, "Paint strokes", "annotate")
    if stage in ("segment", "export") and actions.why_not_segment():
        if missing:
            return NextStep(missing, "Paint strokes", "annotate")
        return NextStep("There is no model yet. Training makes one, in the background.", "Train", "train")
    return None


def _images(no_project: bool, open_layers: int) -> NextStep:
    if open_layers:
        one = open_layers == 1
        return NextStep(
            f"{'An image layer is' if one else f'{open_layers} image layers are'} open in napari.",
            "Use the open layer" if one else "Use the open layers",
            "layers",
        )
    return NextStep(
        "Begin with your images. They stay where they are and are never changed."
        if no_project
        else "The project is empty.",
        "Open a folder of images…",
        "folder",
    )
