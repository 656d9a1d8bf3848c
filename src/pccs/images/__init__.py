"""Any image file as planes: ``probe`` it, read its planes, put planes of results back together."""

from pccs.images.address import join_address, split_address
from pccs.images.choices import parse_channels, parse_window
from pccs.images.find import files_by_stem, find_images, name_of, stem_of
from pccs.images.formats import SUFFIXES, format_of
from pccs.images.info import SourceInfo
from pccs.images.masks import MaskFile, read_marks, read_mask
from pccs.images.opened import CACHE
from pccs.images.physical import PixelSize, length_words, parse_pixel, pixel_mm, pixel_words, with_pixel
from pccs.images.planes import assemble, chosen, disassemble, probe, read_plane, read_planes, read_region
from pccs.images.shapes.paint import Key, Marks
from pccs.images.tiff_companions import companions
from pccs.images.write import write_array, write_tiff

__all__ = [
    "CACHE",
    "SUFFIXES",
    "Key",
    "Marks",
    "MaskFile",
    "PixelSize",
    "SourceInfo",
    "assemble",
    "chosen",
    "companions",
    "disassemble",
    "files_by_stem",
    "find_images",
    "format_of",
    "join_address",
    "length_words",
    "name_of",
    "parse_channels",
    "parse_pixel",
    "parse_window",
    "pixel_mm",
    "pixel_words",
    "probe",
    "read_marks",
    "read_mask",
    "read_plane",
    "read_planes",
    "read_region",
    "split_address",
    "stem_of",
    "with_pixel",
    "write_array",
    "write_tiff",
]
