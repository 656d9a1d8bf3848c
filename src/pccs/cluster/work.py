"""What a worker does. Each function is one task of Dask, and gives back errors that are the user's to mend.

A process reads project and model once for each call of the command, and keeps them for its other tasks.
Results are written under a temporary name and renamed: a worker that dies leaves nothing half done, and an
image that two of them segment is the same file twice.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from pccs.cluster.job import Job, Share
from pccs.errors import ClusterError, PccsError
from pccs.export.record import versions
from pccs.export.segment import planes_by
from pccs.export.stream import Planes, ResultStream
from pccs.predict import Predictor
from pccs.project import Item, Project

Part: TypeAlias = dict[int, Planes] | PccsError
"""What was found in some planes of a stack, by number of the plane."""

_ONE_AT_A_TIME = threading.RLock()


class _Room(NamedTuple):
    project: Project
    predictor: Predictor


def whole(job: Job, share: Share) -> PccsError | None:
    """Segment and write an image; the error if that cannot be done."""
    with _ONE_AT_A_TIME:
        try:
            room = _room_of(job, share)
            look = planes_by(room.predictor, room.project, job.kinds)
            ResultStream(room.project, job.out, job.fmt, job.kinds).run(share.items(), look)
        except PccsError as error:
            return error
    return None


def part(job: Job, share: Share) -> Part:
    """Segment some planes of a stack, which :func:`written` puts together."""
    with _ONE_AT_A_TIME:
        try:
            room = _room_of(job, share)
            look = planes_by(room.predictor, room.project, job.kinds)
            return {item.index: look(item) for item in share.items()}
        except PccsError as error:
            return error


def written(job: Job, share: Share, parts: Sequence[Part]) -> PccsError | None:
    """Write a stack whose parts were segmented, here or elsewhere."""
    planes: dict[int, Planes] = {}
    for one in parts:
        if isinstance(one, PccsError):
            return one
        planes |= one

    def look(item: Item) -> Planes:
        return planes[item.index]

    with _ONE_AT_A_TIME:
        try:
            project = _room_of(job, share).project
            ResultStream(project, job.out, job.fmt, job.kinds).run(share.items(), look)
        except PccsError as error:
            return error
    return None


def _room_of(job: Job, share: Share) -> _Room:
    """Project and model, when the image of ``share`` is what it was where the call was made."""
    room = _room(job)
    if room.project.sources.get(share.source.stem) != share.source:
        raise ClusterError(
            f"{share.source.stem!r} is not what it was when this call began",
            path=job.project,
            remedy="Run the same command again",
        )
    return room


@lru_cache(maxsize=1)
def _room(job: Job) -> _Room:
    _check_versions(job)
    project = Project.open(job.project, write=False)
    return _Room(project, Predictor.from_model(job.model, device=_device(job.device)))


def _check_versions(job: Job) -> None:
    """Another version may write another result, and none would say which image has which."""
    here = versions()
    for name, wanted in job.versions:
        if here.get(name) != wanted:
            raise ClusterError(
                f"a worker has {name} {here.get(name, 'not at all')}, and the command {wanted}",
                remedy="Give all machines one installation, or the same versions",
            )


def _device(name: str) -> str:
    """``cuda:K`` by the number in the worker's name, where a machine has several and none was chosen."""
    if name not in ("auto", "cuda"):
        return name
    import torch
    from distributed import get_worker

    if (count := torch.cuda.device_count()) < 2:
        return name
    number = re.search(r"(\d+)$", str(get_worker().name))
    return f"cuda:{int(number[1]) % count}" if number else name
