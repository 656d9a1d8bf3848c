"""DICOM segmentations: masks of images that came from DICOM, which viewers lay over those images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.errors import ExportError, ImageError
from pccs.export.base import file_stem
from pccs.export.record import versions
from pccs.export.simple import TiffWriter
from pccs.images.dicom import frames_of, is_dicom_image
from pccs.labels import LabelClass
from pccs.project import Source

SERIES_NUMBER = 1000
"""Of the series that a segmentation is; far from those of a scanner."""
_LABEL, _DESCRIPTION = 64, 1024
"""Characters that DICOM allows a label and a description."""
_UNICODE = "ISO_IR 192"
_OFTEN_LEFT_OUT = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime",
)  # fmt: skip
"""What may be empty but must be there, and is missing where a file was made anonymous carelessly."""


def check_dicom(source: Source) -> None:
    """Refuse an image that a DICOM segmentation cannot belong to.

    Raises
    ------
    ImageError
        If it is no DICOM, or a series of times.
    """
    path, info = source.info.path, source.info
    if not is_dicom_image(path):
        raise ImageError(
            "a DICOM segmentation belongs to images of DICOM, and this is none",
            path=path,
            remedy="Choose another format, e.g. nifti",
        )
    if "T" in info.axes:
        raise ImageError(
            "a DICOM segmentation has slices, and this image has times",
            path=path,
            remedy="Choose another format, e.g. ome-tiff",
        )


class DicomSegWriter(TiffWriter):
    """``STEM.seg.dcm``: a binary segmentation with a segment for each class but the first.

    Patient, study, frame of reference and the place of every frame are those of the image, to whose files
    each frame refers. Float maps become TIFF.
    """

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        super().__init__(folder, classes)
        self._classes, self._highdicom = classes, _import_highdicom()
        if len(classes) < 2:
            raise ExportError(
                f"a DICOM segmentation has segments, and {classes[0].name!r} is the background",
                remedy="Add a class, or choose another format",
            )

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask; the segments are numbered from 1 in the order of the classes."""
        check_dicom(source)
        frames = frames_of(source.info.path, source.info.part)
        planes = self._numbered(mask).reshape(-1, *mask.shape[-2:])
        images, planes = _images(frames, planes)
        for image in images:
            if not image.get("SliceThickness"):
                image.SliceThickness = source.info.step("Z")
        try:
            data = self._segmentation(images, planes)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # What is missing in a header highdicom finds out by itself, in one of these ways.
            reason = " ".join(str(error).split())
            raise ImageError(
                f"a DICOM segmentation cannot refer to it ({reason})",
                path=source.info.path,
                remedy="Choose another format, e.g. nifti",
            ) from error
        with writing(self._folder / f"{file_stem(source)}.seg.dcm") as temporary:
            data.save_as(temporary, enforce_file_format=True)

    def _numbered(self, mask: NDArray[Any]) -> NDArray[Any]:
        """Numbers of segments in place of export values."""
        numbers = np.zeros(mask.shape, np.uint8)
        for number, one in enumerate(self._classes[1:], start=1):
            numbers[mask == one.export] = number
        return numbers

    def _segmentation(self, images: Sequence[Any], planes: NDArray[Any]) -> Any:
        library = self._highdicom
        return library.seg.Segmentation(
            source_images=images,
            pixel_array=planes,
            segmentation_type="BINARY",
            segment_descriptions=_segments(library, self._classes),
            series_instance_uid=library.UID(),
            series_number=SERIES_NUMBER,
            sop_instance_uid=library.UID(),
            instance_number=1,
            manufacturer="napari-pccs",
            manufacturer_model_name="napari-pccs",
            software_versions=_version(),
            device_serial_number="1",
            omit_empty_frames=bool(planes.any()),
            content_label="SEGMENTATION",
            series_description="Segmentation",
            specific_character_set=_UNICODE,
        )


def _segments(library: Any, classes: Sequence[LabelClass]) -> list[Any]:
    """A description of each class but the first: *tissue*, as nobody said what it is in the body."""
    tissue = library.sr.CodedConcept("85756007", "SCT", "Tissue")
    family = library.sr.CodedConcept("123110", "DCM", "Artificial Intelligence")
    means = library.AlgorithmIdentificationSequence("napari-pccs", family, _version())
    return [_segment(library, number, one, tissue, means) for number, one in enumerate(classes[1:], start=1)]


def _segment(library: Any, number: int, one: LabelClass, tissue: Any, means: Any) -> Any:
    name = " ".join(one.name.replace("\\", "/").split())  # a backslash divides values in DICOM
    colour = library.color.CIELabColor.from_rgb(*bytes.fromhex(one.color[1:]))
    found = library.seg.SegmentDescription(
        number, name[:_LABEL], tissue, tissue, "SEMIAUTOMATIC", means, display_color=colour
    )
    found.SegmentDescription = f"mask value {one.export}: {name}"[:_DESCRIPTION]
    return found


def _images(frames: Sequence[Any], planes: NDArray[Any]) -> tuple[list[Any], NDArray[Any]]:
    """The headers that the planes belong to, in the same order; of one file, the planes in its order."""
    if len({frame.path for frame in frames}) == len(frames):
        return [_header(frame.path) for frame in frames], planes
    own = np.argsort([frame.index for frame in frames])
    return [_header(frames[0].path)], planes[own]


def _header(path: Path) -> Any:
    """All of a file but its pixels, with text that any character set can hold."""
    import pydicom

    data = pydicom.dcmread(path, stop_before_pixels=True)
    data.decode()
    for name in _OFTEN_LEFT_OUT:
        if name not in data:
            setattr(data, name, None)
    return data


def _version() -> str:
    return versions().get("napari-pccs", "unknown")


def _import_highdicom() -> Any:
    try:
        import highdicom
        import highdicom.color
        import highdicom.seg
        import highdicom.sr
    except ImportError as error:
        raise ExportError(
            "DICOM segmentations need the package 'highdicom', which is not installed",
            remedy="Run: pip install 'napari-pccs[dicom-seg]'",
        ) from error
    return highdicom
