"""Which axis is which, when the file says so and when it does not."""

from __future__ import annotations

from pathlib import Path

from pccs.errors import ImageError
from pccs.images.info import AXES

# Letters of tifffile for axes it cannot name ("Q" other, "I" sequence) or that we treat as a stack.
_STACK_LIKE = "QIPRAEHLV"
_REMEDY = "Say which axis is which, e.g. axes='ZYX' (T time, Z depth, C channel, Y row, X column, S colour)"


def guess_axes(shape: tuple[int, ...], path: Path) -> str:
    """Axes of an array without metadata.

    2D is ``YX``; a last axis of length 3 or 4 beside longer ones is colour (``S``); what remains is
    ``YX``, ``ZYX`` or ``TZYX``. The user is shown what was understood and can say otherwise.

    Raises
    ------
    ImageError
        If the array has fewer than two or more than four axes besides colour, or no pixels.
    """
    if 0 in shape:
        raise ImageError(f"an array of shape {shape} has no pixels", path=path, remedy="Leave it out")
    colour = len(shape) >= 3 and shape[-1] in (3, 4) and min(shape[-3:-1]) > shape[-1]
    rest = len(shape) - colour
    if not 2 <= rest <= 4:
        raise ImageError(
            f"an array of shape {shape} has {len(shape)} axes and nothing that names them",
            path=path,
            allowed="YX, ZYX or TZYX, with colour last or not",
            remedy=_REMEDY,
        )
    return "TZYX"[4 - rest :] + "S" * colour


def rename_axes(axes: str, shape: tuple[int, ...], path: Path) -> str:
    """Our letters for axes named by tifffile; unknown ones become ``Z`` and, before it, ``T``.

    Raises
    ------
    ImageError
        If more axes are unknown than there are letters for.
    """
    named = list(axes)
    for k in reversed(range(len(named))):
        if named[k] in _STACK_LIKE:
            free = next((a for a in "ZT" if a not in named), None)
            if free is None:
                break
            named[k] = free
    text = "".join(named)
    check_axes(text, shape, path)
    return text


def check_axes(axes: str, shape: tuple[int, ...], path: Path) -> None:
    """Raise :class:`~pccs.errors.ImageError` unless ``axes`` can name the axes of ``shape``."""
    fault = _fault(axes, shape)
    if fault:
        raise ImageError(
            f"the axes {axes!r} do not fit an image of shape {shape}: {fault}", path=path, remedy=_REMEDY
        )


def _fault(axes: str, shape: tuple[int, ...]) -> str:
    if len(axes) != len(shape):
        return f"{len(axes)} letters for {len(shape)} axes"
    if set(axes) - set(AXES):
        return f"only the letters {', '.join(AXES)} are known"
    if len(set(axes)) != len(axes):
        return "a letter occurs twice"
    if not {"Y", "X"} <= set(axes):
        return "Y and X are needed"
    if 0 in shape:
        return "an axis has length 0"
    return ""
