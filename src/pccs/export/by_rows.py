"""Writing an image too large to be held, some rows at a time: read, segmented and written in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod

import numpy as np

from pccs.errors import ImageError
from pccs.export.planes import Planes, Results
from pccs.export.sheet import SIDE, Block, Feed, RowWriter, Sheet
from pccs.images.reader import memory_room
from pccs.project import Item, Source

FORMATS_BY_ROWS = ("tiff", "ome-tiff", "ome-zarr", "npy")
"""Formats that can be written row by row."""
_CLASSES_APART = ("tiff", "ome-tiff")
"""Of these, those that store one class after the other: not for probabilities."""
_SHARE = 2
"""One part in so many of the machine's memory is taken at most, when nothing else is said."""
_COPIES = 16
"""Bytes a pixel and channel that reading, normalising and resizing a plane as a whole takes on the way."""


def default_memory() -> int:
    """Bytes that an image may take before it is written by rows."""
    return memory_room() // _SHARE


def whole_bytes(source: Source, results: Results) -> int:
    """Bytes, about, that segmenting and writing an image as a whole takes."""
    info = source.info
    pixels, one = prod(info.plane_shape), results.pixel_bytes()
    return pixels * (info.channels * (info.dtype.itemsize + _COPIES) + one + 2 * info.n_planes * one)


def check_rows(source: Source, fmt: str, results: Results, memory: int) -> None:
    """Refuse an image that is too large for ``memory`` and cannot be written by rows.

    Raises
    ------
    ImageError
        If the format cannot, or the order of the image's axes does not allow it.
    """
    info = source.info
    needed = f"(as a whole it takes about {whole_bytes(source, results) / 2**30:.1f} GiB)"
    more = "or allow more memory with --memory"
    if info.spatial_axes != info.stack_axes + "YX":
        raise ImageError(
            f"it is too large {needed}, and its axes {info.spatial_axes} cannot be written row by row",
            path=info.path,
            allowed=f"{memory / 2**30:.1f} GiB; axes that end in YX with T and Z before them",
            remedy=f"Convert it, {more}",
        )
    apart = "probabilities" in results.kinds
    fit = [name for name in FORMATS_BY_ROWS if not (apart and name in _CLASSES_APART)]
    if fmt not in fit:
        what = "probabilities" if apart and fmt in FORMATS_BY_ROWS else "results"
        raise ImageError(
            f"it is too large for {what} as {fmt!r} {needed}",
            path=info.path,
            allowed=f"{memory / 2**30:.1f} GiB; for larger images {', '.join(fit)}",
            remedy=f"Choose one of these formats, {more}",
        )


def write_by_rows(
    source: Source,
    items: Sequence[Item],
    strips_of: Callable[[Item], Iterator[Planes]],
    writers: Mapping[str, RowWriter],
    results: Results,
    *,
    stop: Callable[[], bool],
    done: Callable[[], None],
) -> bool:
    """Write all results of an image; whether that was not stopped.

    Parameters
    ----------
    strips_of
        Gives results of an item by kind, some lines at a time, from top to bottom.
    stop
        Asked before each block.
    done
        Called after each item.
    """
    chosen = {item.index: item for item in items}
    try:
        with _feeds(source, writers, results) as feeds:
            for plane in range(source.info.n_planes):
                item = chosen.get(plane)
                strips = results.blank(source.info, SIDE) if item is None else strips_of(item)
                for row, found in _blocks(strips):
                    if stop():
                        raise _StoppedError
                    for kind, feed in feeds.items():
                        feed.put(Block(plane, row, results.ready(kind, found[kind])))
                if item is not None:
                    done()
    except _StoppedError:
        return False
    return True


@contextmanager
def _feeds(source: Source, writers: Mapping[str, RowWriter], results: Results) -> Iterator[dict[str, Feed]]:
    """Something that writes for each kind; of an image that is not finished nothing is left."""
    feeds: dict[str, Feed] = {}
    try:
        for kind, writer in writers.items():
            dtype, classes = results.written_as(kind)
            feeds[kind] = Feed(partial(writer.write_rows, Sheet(source, kind, dtype, classes)))
        yield feeds
        for feed in feeds.values():
            feed.finish()
    finally:
        for feed in feeds.values():
            feed.give_up()


def _blocks(strips: Iterator[Planes]) -> Iterator[tuple[int, Planes]]:
    """The same lines, :data:`SIDE` at a time, with the number of the first."""
    row, held, height = 0, dict[str, list[np.ndarray]](), 0
    for strip in strips:
        for kind, values in strip.items():
            held.setdefault(kind, []).append(values)
            lines = values.shape[-2]
        height += lines
        while height >= SIDE:
            joined = {kind: _joined(parts) for kind, parts in held.items()}
            yield row, {kind: values[..., :SIDE, :] for kind, values in joined.items()}
            row, height = row + SIDE, height - SIDE
            held = {kind: [values[..., SIDE:, :]] for kind, values in joined.items()}
    if height:
        yield row, {kind: _joined(parts) for kind, parts in held.items()}


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)


class _StoppedError(Exception):
    """Somebody has cancelled."""
