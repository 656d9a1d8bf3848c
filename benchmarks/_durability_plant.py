"""Faults planted into the program on purpose: a benchmark that does not notice them measures nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pccs import atomic
from pccs.project import annotations, project
from pccs.project.annotations import AnnotationStore

PLANTS = ("in place", "early", "prune first", "no recovery", "no flush", "held")


def plant(name: str) -> None:
    """Break the program of this process in one way."""
    {
        "in place": _in_place,
        "early": _early,
        "prune first": _prune_first,
        "no recovery": _no_recovery,
        "no flush": _no_flush,
        "held": _held,
    }[name]()


@contextmanager
def _straight(path: Path) -> Iterator[Path]:
    path.unlink(missing_ok=True)
    yield path


def _in_place() -> None:
    """A save writes over the file itself, as ``write_bytes`` does."""
    annotations.writing = _straight  # type: ignore[attr-defined]
    atomic.writing = _straight


def _early() -> None:
    """A stroke counts as saved before it is written."""
    real = AnnotationStore.save
    waiting: list[Any] = []

    def later(self: AnnotationStore, item: Any, annotation: Any, shape: Any) -> int:
        waiting.append((item, annotation.copy(), shape))
        return real(self, *waiting.pop(0)) if len(waiting) > 1 else 1

    AnnotationStore.save = later  # type: ignore[method-assign]


def _prune_first() -> None:
    """What is old is deleted before what is new is there."""
    real = AnnotationStore.save

    def save(self: AnnotationStore, item: Any, annotation: Any, shape: Any) -> int:
        for entry in list(self._index.entries(item.key)):
            (self._folder / entry.name).unlink(missing_ok=True)
        return real(self, item, annotation, shape)

    AnnotationStore.save = save  # type: ignore[method-assign]


def _no_recovery() -> None:
    """A session leaves no trace, so that the next opening has nothing to say."""
    real = project.Project.open.__func__  # type: ignore[attr-defined]

    def silent(cls: Any, path: Any, *, write: bool = True) -> Any:
        opened = real(cls, path, write=write)
        (opened.path / ".open").unlink(missing_ok=True)
        return opened

    project.Project.open = classmethod(silent)  # type: ignore[method-assign, assignment]


def _no_flush() -> None:
    """Nothing is flushed to the disk: only a power cut tells the difference."""
    atomic._flush_file = atomic._flush_folder = lambda path: None


def _held() -> None:
    """A stroke is saved when the mouse button is released, however long it is held."""
    from napari_pccs.annotation_layer import AnnotationLayer

    real = AnnotationLayer._made

    def made(self: AnnotationLayer, array: Any) -> Any:
        layer = real(self, array)
        layer.events.labels_update.disconnect(self._painted)
        return layer

    AnnotationLayer._made = made  # type: ignore[method-assign]
