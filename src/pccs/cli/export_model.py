"""Write a model file for other programs: as ONNX, as a package of bioimage.io.

OUT/model.onnx and OUT/model.bioimageio.zip. No project is needed."""

from __future__ import annotations

import argparse
from pathlib import Path

from pccs.errors import ConfigError

NAME, SUMMARY = "export-model", "write a model file as ONNX or for bioimage.io"
KINDS = {"onnx": "model.onnx", "bioimageio": "model.bioimageio.zip"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs export-model``."""
    add = parser.add_argument
    add("model", metavar="FILE", type=Path, help="a model that was exported (model.safetensors)")
    add("-o", "--out", type=Path, required=True, help="folder to write to")
    add("--what", default="bioimageio", metavar="KIND,KIND", help="of onnx, bioimageio (bioimageio)")


def run(options: argparse.Namespace) -> int:
    """Write the files, and name them."""
    kinds = [kind.strip() for kind in options.what.split(",") if kind.strip()]
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ConfigError(f"--what {options.what!r} names no kind of model file", allowed=", ".join(KINDS))
    from pccs.export.stream import make_folder
    from pccs.predict import Predictor

    predictor = Predictor.from_model(options.model, device="cpu")
    folder = make_folder(options.out)
    for kind in kinds:
        path = folder / KINDS[kind]
        if kind == "onnx":
            predictor.save_onnx(path)
        else:
            predictor.save_bioimageio(path)
        print(path)
    return 0
