"""Where a model comes from: what its file says of the project, of what was measured, and of its ancestors."""

from __future__ import annotations

from pydantic import ValidationError

from pccs.export.record import versions
from pccs.export.report_facts import Quality, quality_of
from pccs.nets.model_file import Measured, Origin, ancestors_of
from pccs.project import Project


def origin_of(project: Project, run: str, step: int) -> Origin:
    """What is known of the model of ``step`` of the run called ``run``."""
    found = next((one for one in project.runs() if one.name == run), None)
    quality = None if found is None else quality_of(project, step, found)
    windows = {source.info.window for source in project.sources.values()}
    channels = {source.info.picked for source in project.sources.values()}
    return Origin(
        program=f"napari-pccs {versions().get('napari-pccs', '')}".strip(),
        project=project.name[:300],
        run=run[:300],
        step=step,
        images=len(project.items),
        annotated=len(project.annotated_items()),
        complete=sum(project.is_complete(item) for item in project.items),
        window=windows.pop() if len(windows) == 1 else None,
        channels=channels.pop() if len(channels) == 1 else (),
        measured=None if quality is None else _measured(quality),
        ancestors=() if found is None else ancestors_of(found.start),
    )


def _measured(quality: Quality) -> Measured | None:
    last = quality.last
    if last is None:
        return None
    try:
        return Measured(
            step=last.step, dice=last.dice, error=last.error, items=quality.items, per_class=quality.per_class
        )
    except ValidationError:  # a damaged line of figures: nothing is said rather than something wrong
        return None
