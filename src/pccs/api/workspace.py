"""An open project, with a few methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from pccs.api.model import Model
from pccs.errors import ConfigError
from pccs.images.find import find_images
from pccs.project import Project

if TYPE_CHECKING:
    from pccs.export import Cleaning
    from pccs.predict import Prediction

STEPS = 400
"""Steps of :meth:`Workspace.train` when nothing else is said."""


@dataclass(frozen=True)
class Trained:
    """What a call of :meth:`Workspace.train` came to.

    Attributes
    ----------
    run, step
        Name of the run, and how many steps it has behind it in all.
    dice
        Mean Dice of the classes after the first on annotated places kept aside, ``None`` while unknown.
    summary
        The same in words, with how sure it is.
    """

    run: str
    step: int
    dice: float | None
    summary: str


class Workspace:
    """An open project; a context manager that gives the project back to others.

    Parameters
    ----------
    project
        Open; :attr:`project` has all there is to do with it.
    """

    def __init__(self, project: Project) -> None:
        self.project = project

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back; everything is on disk already."""
        self.project.close()

    @property
    def items(self) -> list[str]:
        """Names of the planes there are to segment."""
        return [item.name for item in self.project.items]

    def add(
        self, images: str | Path | Iterable[str | Path] | Mapping[str, ArrayLike], *, axes: str | None = None
    ) -> list[str]:
        """Add images.

        Parameters
        ----------
        images
            A file, a folder, several of them, or a table *name → array*. Files stay where they are;
            arrays are written into the project.
        axes
            What the axes are, such as ``"ZYX"`` or ``"YXC"``; guessed when absent.

        Returns
        -------
        list of str
            Names of the items that came: the name of the image, or ``name:0``, ``name:1``, … for slices.

        Raises
        ------
        ImageError
            If a file cannot be read.
        """
        before = set(self.project.sources)
        if isinstance(images, Mapping):
            for name, array in images.items():
                values = np.asarray(array)
                self.project.add_array(name, values, axes=axes or _plain_axes(values))
        else:
            given = [images] if isinstance(images, str | Path) else list(images)
            for path in find_images([Path(one) for one in given]):
                self.project.add_source(path, axes=axes)
        return [item.name for item in self.project.items if item.stem not in before]

    def annotate(self, item: str, labels: ArrayLike, *, complete: bool = False) -> None:
        """Say what the pixels of ``item`` are.

        Parameters
        ----------
        labels
            ``(H, W)`` whole numbers: 0 is not annotated, k is the class number k of the project, from 1.
        complete
            Whether pixels with 0 are background, rather than unknown.

        Raises
        ------
        MaskError
            If the shape or a value does not fit.
        """
        self.project.save_annotation(item, np.asarray(labels))
        self.project.set_complete(item, complete)

    def train(
        self,
        *,
        steps: int | None = None,
        seconds: float | None = None,
        preset: str | None = None,
        settings: Mapping[str, object] | None = None,
        seed: int | None = None,
        fresh: bool = False,
        start: str | Path | None = None,
        device: str = "auto",
        progress: bool = True,
    ) -> Trained:
        """Train in this process; go on with the newest run unless ``fresh`` or something else is wanted.

        Parameters
        ----------
        steps, seconds
            How much more, whichever is reached first; 400 steps if neither is given.
        settings
            Changes to the preset by dotted name, ``{"data.crop": 128}``.
        start
            An exported model to begin with; classes of the same name keep what it knows of them.
        progress
            Show a bar, in a notebook as a widget.

        Raises
        ------
        TrainingError
            If nothing is annotated.
        ModelError
            If the model to begin with cannot be read, or takes other images.
        ConfigError
            If a preset or setting is unknown.
        """
        from pccs.train.loop import fit
        from pccs.worker.begin import Wish, begin

        if steps is None and seconds is None:
            steps = STEPS
        wanted = {key: str(value) for key, value in (settings or {}).items()}
        wish = Wish(preset, wanted, seed, fresh, None if start is None else Path(start))
        with self.project.worker_lock(), _bar(steps, progress) as bar:
            trainer, _ = begin(self.project, wish, device=device)
            fit(trainer, steps=steps, seconds=seconds, on_step=lambda t, figures: bar.update())
        found = trainer.last_validation
        return Trained(
            trainer.run.name,
            trainer.step_count,
            found.dice if found else None,
            found.summary if found else trainer.state_line(),
        )

    def model(self, *, device: str = "auto") -> Model:
        """The model that is in use now.

        Raises
        ------
        ModelError
            If nothing is trained yet.
        """
        from pccs.predict import Predictor

        return Model(Predictor.load(self.project, device=device))

    def predict(self, image: ArrayLike) -> Prediction:
        """Segment one plane with the model in use now; for many load it once with :meth:`model`."""
        return self.model().predict(image)

    def export(
        self,
        out: str | Path,
        *,
        format: str = "tiff",
        what: Sequence[str] = ("masks",),
        maps: str = "float32",
        table: str = "csv",
        cleaning: Mapping[str, int] | None = None,
        device: str = "auto",
    ) -> list[Path]:
        """Write masks, annotations, maps, measurements, the model or a report, as ``pccs export`` does.

        Parameters
        ----------
        maps
            Type of uncertainty and probabilities: ``"float32"``, ``"uint16"`` or ``"uint8"``.
        table
            Measurements as ``"csv"`` or ``"parquet"``.
        cleaning
            What is tidied where the model speaks, such as ``{"smallest": 20, "split": 2}``: fields of
            :class:`pccs.export.Cleaning`.

        Returns
        -------
        list of Path
            The files and folders that were written.

        Raises
        ------
        ExportError
            If the format or a part is unknown, or the folder cannot be written.
        """
        from pccs.export import export_project
        from pccs.predict import Predictor

        trained = self.project.current_run() is not None and set(what) != {"annotations"}
        predictor = Predictor.load(self.project, device=device) if trained else None
        return list(
            export_project(
                self.project,
                Path(out),
                fmt=format,
                what=list(what),
                maps=maps,
                table=table,
                cleaning=_cleaning(cleaning or {}),
                predictor=predictor,
            )
        )


def _cleaning(wanted: Mapping[str, int]) -> Cleaning:
    from pccs.tidy import Cleaning

    known = [field.name for field in fields(Cleaning)]
    strange = [name for name in wanted if name not in known]
    if strange:
        raise ConfigError(f"there is no tidying {strange[0]!r}", allowed=", ".join(known))
    return Cleaning(**{name: type(getattr(Cleaning, name))(value) for name, value in wanted.items()})


def _plain_axes(values: np.ndarray[Any, Any]) -> str:
    known = {2: "YX", 3: "YXC" if values.shape[-1] in (3, 4) else "ZYX"}
    if values.ndim not in known:
        raise ConfigError(
            f"an array of {values.ndim} axes", remedy="Say what they are with axes=, for example 'TZYX'"
        )
    return known[values.ndim]


def _bar(steps: int | None, wanted: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=steps, disable=not wanted, unit="step", desc="training")
