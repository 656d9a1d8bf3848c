"""What a worker does. Each function is one task of Dask, and gives back errors that are the user's to mend.

A process reads project and model once for each call of the command, and keeps them for its other tasks.
Results are written under a temporary name and renamed: a worker that dies leaves nothing half done, and an
image that two of them segment is the same file twice.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pccs.cluster.job import Batch, Found, Job, Share
from pccs.errors import ClusterError, PccsError
from pccs.export.planes import Planes
from pccs.export.record import versions
from pccs.export.segment import planes_by, planes_of
from pccs.export.stream import ResultStream
from pccs.predict import Predictor
from pccs.predict.rows import look_at_row, see_row, settled_for
from pccs.project import Item, Project

Part: TypeAlias = dict[int, Planes] | PccsError
"""What was found in some planes of an image, or in some rows of one, by number of the plane."""
Shares: TypeAlias = NDArray[np.float32] | PccsError
"""Probabilities ``(C, h, w)`` at the working scale."""
Weights: TypeAlias = dict[str, NDArray[np.float32]] | PccsError
"""Of a network whose normalisation is settled, by name."""

_TRIM = "MALLOC_TRIM_THRESHOLD_"
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What ``malloc.h`` calls them."""
_ONE_AT_A_TIME = threading.RLock()


class _Room(NamedTuple):
    project: Project
    predictor: Predictor


def several(job: Job, batch: Batch) -> Found | None:
    """Segment and write images one after the other; nothing where a worker died of them before."""
    if batch.name and _begun(job, batch) > 1 and len(batch.shares) > 1:
        return None
    with _ONE_AT_A_TIME:
        with suppress(PccsError):  # told below
            _room_of(job, batch.shares[0])  # what it takes to load is not what an image takes
        began = time.monotonic()
        errors: list[PccsError | None] = []
        for share in batch.shares:
            errors.append(whole(job, share))
            if isinstance(errors[-1], ClusterError):
                break  # the others would have it as well
        return Found(tuple(errors), time.monotonic() - began)


def _begun(job: Job, batch: Batch) -> int:
    """How often these were begun, with this time: written down, because this process may die of it."""
    with suppress(OSError), job.mark(batch.name).open("ab") as file:
        file.write(b".")
        return file.tell()
    return 1


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


def settled(job: Job, share: Share) -> Weights:
    """Settle the normalisation of a large plane, for all its rows of tiles."""
    with _ONE_AT_A_TIME:
        try:
            room = _room_of(job, share)
            return settled_for(room.predictor, room.project, share.items()[0])
        except PccsError as error:
            return error


def row(job: Job, share: Share, number: int, weights: Weights) -> Shares:
    """Look at one row of tiles of a large plane."""
    if isinstance(weights, PccsError):
        return weights
    with _ONE_AT_A_TIME:
        try:
            room = _room_of(job, share)
            return look_at_row(room.predictor, room.project, share.items()[0], number, weights)
        except PccsError as error:
            return error


def last_line(shares: Shares) -> Shares:
    """What the row of tiles below needs of this one."""
    return shares if isinstance(shares, PccsError) else shares[:, -1:].copy()


def lines(job: Job, share: Share, number: int, shares: Shares, above: Shares | None) -> Part:
    """The lines of the image that a row of tiles completes, as :func:`written` takes them."""
    if isinstance(shares, PccsError):
        return shares
    if isinstance(above, PccsError):
        return above
    with _ONE_AT_A_TIME:
        try:
            predictor = _room_of(job, share).predictor
            seen = see_row(predictor, share.source.info, number, shares, above)
        except PccsError as error:
            return error
    return {} if seen is None else {share.planes[0]: planes_of(seen, job.kinds)}


def written(job: Job, share: Share, parts: Sequence[Part]) -> PccsError | None:
    """Write an image whose parts were segmented, here or elsewhere; rows of a plane in their order."""
    planes: dict[int, list[Planes]] = {}
    for one in parts:
        if isinstance(one, PccsError):
            return one
        for index, found in one.items():
            planes.setdefault(index, []).append(found)

    def look(item: Item) -> Planes:
        own = planes[item.index]
        return own[0] if len(own) == 1 else {k: np.concatenate([p[k] for p in own], axis=-2) for k in own[0]}

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
    _keep_memory()
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


def _keep_memory() -> None:
    """Undo what Dask asks of glibc: with it, the memory of every large tensor is given back and cleared anew.

    The numbers are those that glibc comes to by itself where nobody asks for anything.
    """
    if _TRIM in os.environ:
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(_MMAP_THRESHOLD, 2**25)
            libc.mallopt(_TRIM_THRESHOLD, 2**26)


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
