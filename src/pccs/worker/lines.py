"""Lines over a pipe, with a bound on their length. No torch, no Qt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

LONGEST = 4 * 1024 * 1024
"""Longest line, in bytes, that is taken for a message. The longest honest one is far below."""


def read_lines(stream: IO[bytes], longest: int = LONGEST) -> Iterator[str | None]:
    """The lines of ``stream`` as text, without their line breaks, until it ends.

    A line of more than ``longest`` bytes is read to its end in pieces, so that it costs no memory,
    and comes out as one ``None``. Blank lines are left out; a pipe that breaks counts as its end.
    """
    try:
        while piece := stream.readline(longest + 1):
            if len(piece) > longest and not piece.endswith(b"\n"):
                _skip_to_line_break(stream, longest)
                yield None
            elif text := piece.decode("utf-8", errors="replace").strip():
                yield text
    except (OSError, ValueError):
        # A pipe closed under a blocked reader raises, depending on the platform, either of these.
        return


def _skip_to_line_break(stream: IO[bytes], longest: int) -> None:
    while (piece := stream.readline(longest)) and not piece.endswith(b"\n"):
        pass
