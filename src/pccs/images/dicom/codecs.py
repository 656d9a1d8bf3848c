"""Compressed frames that pydicom needs other packages for, unpacked by imagecodecs, which is here anyway.

The names of what stands here are those that pydicom asks of a plugin.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import imagecodecs
import numpy as np

_LOSSLESS, _LOSSLESS_1 = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
_LS, _LS_NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"

_CODECS: dict[str, tuple[Any, Any]] = {
    _LOSSLESS: (imagecodecs.LJPEG, imagecodecs.ljpeg_decode),
    _LOSSLESS_1: (imagecodecs.LJPEG, imagecodecs.ljpeg_decode),
    _LS: (imagecodecs.JPEGLS, imagecodecs.jpegls_decode),
    _LS_NEAR: (imagecodecs.JPEGLS, imagecodecs.jpegls_decode),
}
DECODER_DEPENDENCIES = dict.fromkeys(_CODECS, ("imagecodecs",))
LABEL = "imagecodecs"


def is_available(uid: str) -> bool:
    """Whether frames of this transfer syntax can be unpacked here."""
    return uid in _CODECS and bool(_CODECS[uid][0].available)


def decode_frame(source: bytes, runner: Any) -> bytearray:
    """The pixels of a compressed frame, as pydicom wants them: bytes of little-endian numbers."""
    pixels = np.asarray(_CODECS[runner.transfer_syntax][1](source))
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    if pixels.ndim == 3:
        runner.set_option("planar_configuration", 0)
    return bytearray(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())


def add_codecs(pixels: Any) -> None:
    """Tell the module ``pydicom.pixels`` of these, once."""
    for uid in _CODECS:
        with suppress(ValueError):  # it knows them already
            pixels.get_decoder(uid).add_plugin(LABEL, (__name__, "decode_frame"))
