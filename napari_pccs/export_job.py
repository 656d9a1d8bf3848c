"""Export as a child process: ``python -m pccs export``, so that the window has no torch and never waits."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

FORMATS: dict[str, tuple[str, str]] = {
    "tiff": ("Label TIFF", ".tif"),
    "ome-tiff": ("OME-TIFF", ".ome.tif"),
    "png": ("PNG", ".png"),
    "nifti": ("NIfTI", ".nii.gz"),
    "dicom-seg": ("DICOM segmentation", ".seg.dcm"),
    "ome-zarr": ("OME-Zarr", ".ome.zarr"),
    "npy": ("NumPy", ".npy"),
    "coco": ("COCO JSON", ".json"),
    "coco-polygons": ("COCO JSON, polygons", ".json"),
    "geojson": ("GeoJSON for QuPath", ".geojson"),
    "imagej-roi": ("ImageJ ROIs", ".zip"),
}
"""Name for the command line, title, and the ending of its files. A test compares with the engine."""

CONTENTS: dict[str, str] = {
    "masks": "Masks",
    "annotations": "My annotations",
    "uncertainty": "Uncertainty",
    "probabilities": "Probabilities",
    "measurements": "Table of objects",
    "report": "Report (HTML)",
    "model": "The model",
    "onnx": "The model as ONNX",
    "bioimageio": "For bioimage.io",
}


@dataclass(frozen=True)
class Outcome:
    """How an export ended."""

    done: bool
    sentence: str


class ExportJob:
    """One running export.

    Parameters
    ----------
    project, out
        Project folder, and the folder that receives the files.
    fmt
        A key of :data:`FORMATS`.
    what
        Keys of :data:`CONTENTS`.
    more
        More options of ``pccs export``.
    """

    def __init__(
        self, project: Path, out: Path, fmt: str, what: Sequence[str], more: Sequence[str] = ()
    ) -> None:
        self.out = out
        self.command = [
            *(sys.executable, "-m", "pccs", "export", str(project)),
            *("-o", str(out), "--format", fmt, "--what", ",".join(what), *more),
        ]
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in poll)
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._cancelled = False

    def progress(self) -> str:
        """The newest line the command has said."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").replace("\r", "\n").split("\n")
        return next((one.strip() for one in reversed(lines) if one.strip()), "")

    def poll(self) -> Outcome | None:
        """How it ended, ``None`` while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        last = self.progress()
        self._said.close()
        if self._cancelled:
            return Outcome(False, "The export was cancelled; files written before are complete.")
        if status == 0:
            return Outcome(True, f"Exported to {self.out}.")
        return Outcome(False, last or f"The export ended with status {status}.")

    def cancel(self) -> None:
        """End it; files already written stay."""
        self._cancelled = True
        self._process.terminate()

    def close(self, timeout: float = 3.0) -> None:
        """End it and wait until it is gone."""
        if self._process.poll() is not None:
            return
        self.cancel()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
