"""What waits to be sent, one frame at a time: what is prompt first, images when nothing else is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from typing import IO

from pccs.remote.cargo import Freight, Image
from pccs.remote.files import parts
from pccs.remote.messages import Message, Part

Send = Callable[[Message, bytes], None]


class Outbox:
    """Files and messages on their way to the other end."""

    def __init__(self) -> None:
        self._prompt: deque[Freight | Message] = deque()
        self._bulk: deque[tuple[str, Image]] = deque()
        self._there: dict[str, int] = {}
        self._moving: Iterator[tuple[Part, bytes]] | None = None
        self._image: Iterator[tuple[Part, bytes]] | None = None
        self._stem = ""
        self.present: set[str] = set()
        """Stems of the images that are there."""
        self.left = 0
        """Bytes of images that have yet to go."""

    def clear(self) -> None:
        """The connection is gone, and what was on its way with it."""
        self._prompt.clear()
        self._bulk.clear()
        self._moving = self._image = None

    def meet(self, there: Mapping[str, int]) -> None:
        """The other end has files of these sizes."""
        self.clear()
        self._there = dict(there)

    def put(self, *what: Freight | Message) -> None:
        """Send these next, in this order."""
        self._prompt.extend(what)

    def want(self, images: Mapping[str, Image], first: list[str]) -> None:
        """Bring these images there, those of the stems in ``first`` before the others."""
        self.present = {stem for stem, image in images.items() if self._has(image)}
        places = {stem: place for place, stem in reversed(list(enumerate(first)))}
        order = sorted(images.keys() - self.present, key=lambda stem: (places.get(stem, len(first)), stem))
        self._bulk = deque(
            (stem, images[stem]) for stem in order if stem != self._stem or self._image is None
        )
        self.left = sum(image.size for _, image in self._bulk)

    def _has(self, image: Image) -> bool:
        return all(self._there.get(freight.path) is not None for freight in image.files)

    def step(self, send: Send) -> bool:
        """Send one frame; ``False`` when there was nothing to send."""
        if self._moving is not None or self._prompt:
            self._step_prompt(send)
            return True
        if self._image is None:
            if not self._bulk:
                return False
            self._stem, image = self._bulk.popleft()
            self._image = self._frames(image)
        frame = next(self._image, None)
        if frame is not None:
            send(*frame)
            self.left -= len(frame[1])
        else:
            self._image = None
            self.present.add(self._stem)
        return True

    def _step_prompt(self, send: Send) -> None:
        if self._moving is None:
            following = self._prompt.popleft()
            if not isinstance(following, Freight):
                send(following, b"")
                return
            self._moving = _parts_of(following)
        frame = next(self._moving, None)
        if frame is None:
            self._moving = None
        else:
            send(*frame)

    def _frames(self, image: Image) -> Iterator[tuple[Part, bytes]]:
        for freight in image.files:
            if freight.path not in self._there:
                yield from _parts_of(freight)
                self._there[freight.path] = 0


def _parts_of(freight: Freight) -> Iterator[tuple[Part, bytes]]:
    """The frames of a file; one that is no more has none."""
    file: IO[bytes]
    with suppress(OSError):
        if isinstance(freight.what, bytes):
            yield from parts(BytesIO(freight.what), freight.path)
        else:
            with freight.what.open("rb") as file:
                yield from parts(file, freight.path)
