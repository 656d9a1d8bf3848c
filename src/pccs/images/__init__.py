"""Any image file as planes: ``probe`` it, read its planes, put planes of results back together."""

from pccs.images.find import files_by_stem, find_images, stem_of
from pccs.images.info import SourceInfo
from pccs.images.masks import read_mask
from pccs.images.opened import CACHE, SUFFIXES
from pccs.images.planes import assemble, disassemble, probe, read_plane, read_planes
from pccs.images.write import write_array, write_tiff

__all__ = [
    "CACHE",
    "SUFFIXES",
    "SourceInfo",
    "assemble",
    "disassemble",
    "files_by_stem",
    "find_images",
    "probe",
    "read_mask",
    "read_plane",
    "read_planes",
    "stem_of",
    "write_array",
    "write_tiff",
]
