"""Segment images, with the newest model of a project or with a model file.

Writes OUT/masks/STEM, and if asked OUT/uncertainty/STEM (float32, 0 to 1) and
OUT/probabilities/STEM (float32, classes first). Every result has the shape of its source.
A call that was interrupted goes on where it stopped when it is made again. With --cluster the work
is done by many processes, here or on other machines that see the same files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pccs.cli.options import add_device, add_memory, add_out, add_pixel, many, positive, reading
from pccs.cli.progress import Progress
from pccs.errors import ConfigError, PccsError
from pccs.images import find_images, parse_channels, parse_pixel
from pccs.project import Project

if TYPE_CHECKING:
    from pccs.predict import Predictor
    from pccs.predict.volume import ThroughVolumes

NAME, SUMMARY = "segment", "segment images into a folder of masks"
EPILOG = """\
examples:
  pccs segment cells.pccs -o result
  pccs segment --model out/model/model.safetensors new_images/ scan.nii.gz -o result --uncertainty
  pccs segment volumes.pccs -o result --planes 3
  pccs segment cells.pccs -o result --cluster local --workers 4
  pccs segment cells.pccs -o result --cluster slurm --workers 50 --cluster-option memory=4GB"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs segment``."""
    add = parser.add_argument
    add(
        "places",
        metavar="PROJECT_OR_IMAGES",
        nargs="+",
        type=Path,
        help="a project folder; with --model images, or folders of images",
    )
    add_out(parser)
    add("--model", metavar="FILE", type=Path, help="a model that was exported: no project is needed")
    add(
        "--items",
        metavar="all|unannotated|STEM,...",
        help="what of a project to segment (all); slices of a stack that are left out are 0",
    )
    add(
        "--axes",
        metavar="LETTERS",
        help="with --model: meaning of the stored axes, from TZCYXS, where the file does not say",
    )
    add(
        "--channels",
        default="",
        metavar="N,N,...",
        help="with --model: channels to use, counted from 0, in this order (all)",
    )
    add_pixel(parser, "with --model: ")
    add("--uncertainty", action="store_true", help="write normalised entropy too")
    add("--probabilities", action="store_true", help="write class probabilities too")
    add(
        "--planes",
        type=int,
        choices=(1, 3),
        default=1,
        help="of volumes: look at the slices (1), or along three directions, and average (3)",
    )
    add_device(parser)
    add_memory(parser)
    add(
        "--cluster",
        metavar="local|slurm|ADDRESS",
        help="let many processes do it: of this computer, SLURM jobs, or the workers of a Dask scheduler",
    )
    add("--workers", metavar="N", type=positive, help="with --cluster local or slurm: how many processes")
    add(
        "--cluster-option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="with --cluster slurm: what dask_jobqueue.SLURMCluster takes, such as memory=4GB, queue=short",
    )


def run(options: argparse.Namespace) -> int:
    """Segment; images that cannot be read are named, and the rest goes on."""
    errors: list[PccsError] = []
    _check(options)
    with Progress() as progress:

        def failed(error: PccsError) -> None:
            errors.append(error)
            progress.note(f"pccs: {error}")

        if options.cluster:  # the images' project and the keys of a cluster lie where workers see them
            from pccs.export.stream import make_folder

            make_folder(options.out)
        with _opened(options, failed, progress.note) as (project, predictor):
            seeing = _seeing(options, predictor)
            before: list[int] = []
            with _segmenter(options, progress) as segment:
                stems = segment(
                    project,
                    seeing,
                    options.out,
                    items=project.select(options.items or "all"),
                    fmt=options.format,
                    uncertainty=options.uncertainty,
                    probabilities=options.probabilities,
                    progress=lambda done, total: progress.items("Segmenting", done, total),
                    on_error=failed,
                    identity=seeing.identity(),
                    resumed=before.append,
                )
    told = f"{many(len(stems), 'image')} segmented"
    if before:
        told += f", {before[0]} of them before this call"
    print(told + (f", {len(errors)} could not be read" if errors else ""))
    print(options.out)
    return 2 if errors else 0


def _seeing(options: argparse.Namespace, predictor: Predictor) -> Predictor | ThroughVolumes:
    """What looks at images."""
    if options.planes == 1:
        return predictor
    from pccs.predict.volume import ThroughVolumes

    return ThroughVolumes(predictor, scratch=options.out)


def _check(options: argparse.Namespace) -> None:
    if options.cluster and options.planes > 1:
        raise ConfigError("--planes 3 needs all slices of a volume in one process, and --cluster has many")
    if options.cluster and options.memory:
        raise ConfigError("--memory bounds this process, and --cluster lets others do the work")
    if options.cluster is None and (options.workers or options.cluster_option):
        raise ConfigError("--workers and --cluster-option say something about a --cluster")
    if options.model is None:
        if len(options.places) > 1:
            raise ConfigError(
                "one project is segmented at a time", remedy="To segment images, give a model with --model"
            )
        if options.axes or options.channels or options.pixel_size:
            raise ConfigError(
                "--axes, --channels and --pixel-size say something about images that are given with --model"
            )
    elif options.items:
        raise ConfigError("--items chooses from a project, and --model needs none", remedy="Leave it out")


@contextmanager
def _segmenter(options: argparse.Namespace, progress: Progress) -> Iterator[Callable[..., list[str]]]:
    """What segments: this process, or the workers of a cluster."""
    if options.cluster is None:
        from pccs.export import segment_to_folder

        yield partial(segment_to_folder, memory=options.memory)
        return
    from pccs.cluster import connected, segment_on_cluster

    chosen = _cluster_options(options)
    with connected(
        options.cluster, workers=options.workers, options=chosen, shared=options.out, note=progress.note
    ) as place:
        progress.note(f"Dask's dashboard: {place.client.dashboard_link}")

        def look(threads: int) -> None:
            why = place.tend()
            if not threads:
                progress.tell("Waiting for a worker" + (f" ({why})" if why else ""))

        yield partial(
            segment_on_cluster,
            place.client,
            device=options.device,
            look=look,
            lost=lambda worker: progress.note(f"The worker at {worker} has gone; others do its images."),
        )


def _cluster_options(options: argparse.Namespace) -> dict[str, str]:
    pairs = [given.partition("=") for given in options.cluster_option]
    wrong = [name for name, equals, _ in pairs if not (name and equals)]
    if wrong:
        raise ConfigError(f"--cluster-option {wrong[0]!r} has no value", allowed="NAME=VALUE")
    return {name: value for name, _, value in pairs}


@contextmanager
def _opened(
    options: argparse.Namespace, failed: Callable[[PccsError], None], note: Callable[[str], None]
) -> Iterator[tuple[Project, Predictor]]:
    """The project, or the images as one, and the model."""
    device = "cpu" if options.cluster else options.device  # it is workers that compute
    if options.model is None:
        with reading(options.places[0]) as project:
            project.select(options.items or "all")  # a slip is told before torch loads
            from pccs.predict import Predictor

            yield project, Predictor.load(project, device=device)
        return
    files = find_images(options.places)
    from pccs.export import images_for
    from pccs.predict import Predictor

    predictor = Predictor.from_model(options.model, device=device)
    channels, pixel = parse_channels(options.channels), parse_pixel(options.pixel_size)
    place = options.out if options.cluster else None
    with images_for(
        predictor,
        files,
        axes=options.axes,
        channels=channels,
        pixel=pixel,
        note=note,
        on_error=failed,
        place=place,
    ) as project:
        yield project, predictor
