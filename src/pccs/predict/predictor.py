"""From an image of any size to class values, probabilities and uncertainty at its own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pccs.data.large import Planes
from pccs.data.normalise import Statistics, match_channels, measure, normalise
from pccs.data.resize import resize_image
from pccs.data.store import ItemStore
from pccs.errors import ImageError, ModelError
from pccs.events import Region
from pccs.images import SourceInfo
from pccs.images.physical import PixelSize, pixel_mm
from pccs.nets import ModelFacts, SegmentationNet, checkpoint
from pccs.nets.model_file import NAME, Origin, StoredModel, read_model, weights_digest, write_model
from pccs.nets.runtime import place, resolve_device, to_device
from pccs.predict.bands import bands
from pccs.predict.parts import span
from pccs.predict.prediction import Canvas, Prediction, Seen, Sight, look
from pccs.predict.smaller import nothing_fits, raise_unless_short, sides_to_try
from pccs.predict.tiles import Held, Padded, Picture, fits
from pccs.project import Item, Project, Run


class Predictor:
    """A network ready to look at images.

    Parameters
    ----------
    facts, net
        The model; ``net`` is used as it is, so a training teacher may be passed.
    device
        Where it lives.
    student
        For the disagreement map; optional.
    run, step
        Where the weights come from.
    """

    def __init__(
        self,
        facts: ModelFacts,
        net: nn.Module,
        device: torch.device,
        *,
        student: nn.Module | None = None,
        run: str = "",
        step: int = 0,
    ) -> None:
        self.facts, self.net, self.device, self.student = facts, net, device, student
        self.run, self.step = run, step
        self.origin = Origin(run=run, step=step)
        """Where the model comes from, as far as it is known without the project."""
        self.between: Callable[[], None] | None = None
        """Called before each tile of a large image; may raise to give up."""
        self.side: int | None = None
        """Most pixels a side that are looked at in one piece; smaller once memory has run out."""
        self.smaller: Callable[[int], None] = lambda side: None
        """Told the new :attr:`side` when a prediction went well with it."""
        self._store: ItemStore | None = None
        self._values = np.array([c.value for c in facts.classes], np.uint8)

    # -------------------------------------------------------------- loading

    @classmethod
    def load(cls, project: Project, run: Run | None = None, *, device: str = "auto") -> Predictor:
        """The model of ``project`` that is in use, or the newest of ``run``.

        Raises
        ------
        ModelError
            If nothing is trained yet, or the checkpoint is damaged.
        """
        earlier = project.current_model() if run is None else None
        if earlier is not None:
            return cls.from_model(earlier, device=device)
        run = run or project.current_run()
        if run is None:
            raise ModelError("nothing is trained yet", path=project.path, remedy="Run 'pccs train' first")
        facts, tensors = checkpoint.read(run.path)
        model = ModelFacts.from_json(facts.get("model"), run.path)
        where = resolve_device(device)
        with checkpoint.understood(run.path):
            weights, step = checkpoint.shown(facts, tensors)
        net = _filled(model, weights, where, run.path)
        student = _filled(model, checkpoint.prefixed("student", tensors), where, run.path)
        return cls(model, net, where, student=student, run=run.name, step=step)

    def save_model(self, folder: Path, origin: Origin | None = None) -> Path:
        """Write ``model.safetensors``, all that :meth:`from_model` needs, and give its path.

        ``origin`` says where the model comes from; by default what is known of it here.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_model(folder / NAME, self.facts, self.net.state_dict(), origin or self.origin)
        (folder / "model.json").unlink(missing_ok=True)  # of an earlier version, it would speak of this one
        return folder / NAME

    def save_onnx(self, path: Path) -> float:
        """Write the network as ONNX (:func:`pccs.predict.onnx.save_onnx`)."""
        from pccs.predict.onnx import save_onnx

        return save_onnx(self.facts, self.net, path, {"run": self.run, "step": self.step})

    def save_bioimageio(self, path: Path, origin: Origin | None = None) -> None:
        """Write a package of bioimage.io (:func:`pccs.predict.bioimageio.save_bioimageio`)."""
        from pccs.predict.bioimageio import save_bioimageio

        save_bioimageio(self.facts, self.net, path, origin or self.origin)

    @classmethod
    def from_model(cls, path: Path, *, device: str = "auto") -> Predictor:
        """A model written by :meth:`save_model`, the file or its folder; it needs no project.

        Raises
        ------
        ModelError
            If there is none, or it is damaged, or of another version.
        """
        return cls.from_stored(read_model(path), device=device)

    @classmethod
    def from_stored(cls, stored: StoredModel, *, device: str = "auto") -> Predictor:
        """A model that was read from a file."""
        where, origin = resolve_device(device), stored.origin
        net = _filled(stored.facts, stored.weights, where, stored.path)
        found = cls(stored.facts, net, where, run=origin.run, step=origin.step)
        found.origin = origin
        return found

    def identity(self) -> str:
        """SHA-256 of what it predicts with, hexadecimal: models that predict alike have the same."""
        return weights_digest(self.facts, self.net.state_dict())

    # ------------------------------------------------------------ predicting

    def predict(
        self,
        image: NDArray[np.generic],
        *,
        statistics: Statistics | None = None,
        pixel_mm: PixelSize | None = None,
    ) -> Prediction:
        """Segment one plane.

        Parameters
        ----------
        image
            ``(H, W)`` or ``(H, W, C)``, any real dtype.
        statistics
            Intensity statistics of its source; measured on the image itself when absent.
        pixel_mm
            Height and width of its pixels in mm; those of a typical training image when absent.
        """
        plane = image[..., None] if image.ndim == 2 else image
        statistics = statistics or measure([plane], joint=plane.shape[-1] == 3)
        fitted = match_channels(normalise(plane, statistics), self.facts.channels)
        if fitted is None:
            raise ImageError(
                f"the image has {plane.shape[-1]} channels where the model takes {self.facts.channels}"
            )
        full = torch.from_numpy(np.ascontiguousarray(fitted))
        shape = full.shape[1], full.shape[2]
        small = resize_image(full, self.facts.resolution.size(shape, pixel_mm))
        if self.facts.context:  # nothing is known of its neighbours
            small = small.repeat(2 * self.facts.context + 1, 1, 1)
        return self._predicted(Sight(small, shape))

    def predict_item(self, project: Project, item: str | Item) -> Prediction:
        """Segment an item of ``project``; images of recently seen items are kept at hand."""
        return self._predicted(self._sight(project, item))

    def look_at(self, project: Project, item: str | Item) -> Seen:
        """As :meth:`predict_item` without probabilities: of a large image, a fraction of the memory."""
        return self._look(self._sight(project, item), probabilities=False)

    def _sight(self, project: Project, item: str | Item) -> Sight:
        found = project.item(item)
        size = project.sources[found.stem].info.plane_shape
        return Sight(self._items(project).image(found.name), size)

    def is_large(self, project: Project, item: str | Item) -> bool:
        """Whether an item is predicted in tiles, which takes its time."""
        return not fits(self.working_size(project.sources[project.item(item).stem].info))

    def predict_part(self, project: Project, item: str | Item, region: Region) -> Prediction:
        """Segment ``region`` of an item, with what surrounds it in view: arrays of the region's size."""
        found = project.item(item)
        size = project.sources[found.stem].info.plane_shape
        image = self._items(project).image(found.name)
        rows = span(region[0], region[2], size[0], image.shape[-2])
        cols = span(region[1], region[3], size[1], image.shape[-1])
        part = image[:, rows.cut, cols.cut].contiguous()
        return self._predicted(Sight(part, (rows.length, cols.length), (rows.inner, cols.inner)))

    def strips(self, project: Project, item: str | Item, *, probabilities: bool = False) -> Iterator[Seen]:
        """What :meth:`look_at` says, or :meth:`predict_item`, some lines at a time, from top to bottom.

        Only lines that are looked at are read, and nothing is held of those that were given: the memory it
        takes grows with the width of an image and not with its height. There is no disagreement.

        Raises
        ------
        MemoryShort
            If memory runs out even with the smallest tiles.
        """
        size = project.sources[project.item(item).stem].info.plane_shape
        for _, shares in self.shares(self.unread(project, item), size):
            seen = self.seen(shares, probabilities=probabilities)
            del shares  # a part of the row of tiles, which goes with it
            yield seen

    def shares(self, picture: Picture, size: tuple[int, int]) -> Iterator[tuple[slice, Tensor]]:
        """Rows of an image of ``size`` and their probabilities ``[C, rows, W]``, from top to bottom.

        When memory runs out it begins again in smaller tiles, and goes on after the rows that were given.

        Raises
        ------
        MemoryShort
            If not even the smallest fit.
        """
        given = 0
        for side in sides_to_try(self.side):
            try:
                found = bands(self.net, picture, size, self.between, side=side, device=self.device)
                for rows, shares in found:
                    if rows.stop > given:
                        first, given = max(given, rows.start), rows.stop
                        yield slice(first, rows.stop), shares[:, first - rows.start :]
                    del shares  # before the next row of tiles is made
            except (MemoryError, RuntimeError) as error:
                raise_unless_short(error)
            else:
                self._went_well(side)
                return
        raise nothing_fits()

    def unread(self, project: Project, item: str | Item) -> Planes:
        """An item as the network takes it, of which only what is looked at is read."""
        return self._items(project).unread(project.item(item).name)

    def intensities(self, project: Project, item: str | Item) -> Statistics:
        """Those of the source of an item, as its pixels are normalised by."""
        return self._items(project).statistics(project.item(item).name)

    def seen(self, shares: Tensor, *, probabilities: bool) -> Seen:
        """Probabilities ``[C, H, W]`` as maps."""
        size = shares.shape[-2], shares.shape[-1]
        canvas = Canvas(size, self._values, disagreement=False, probabilities=probabilities)
        canvas.fill(slice(0, size[0]), shares, None)
        return canvas.seen()

    @torch.no_grad()
    def embed(self, project: Project, item: str | Item) -> NDArray[np.float32]:
        """Mean bottleneck feature of an item, ``(D,)`` of unit length: how much two look alike."""
        x = Padded(Held(self._items(project).image(project.item(item).name)), self.device).whole()
        net = self.net
        assert isinstance(net, SegmentationNet)
        vector = net.encode(x)[-1].mean(dim=(0, 2, 3)).float()
        unit: NDArray[np.float32] = F.normalize(vector, dim=0).cpu().numpy()
        return unit

    def working_size(self, info: SourceInfo) -> tuple[int, int]:
        """``(h, w)`` at which the network sees a plane of ``info``."""
        return self.facts.resolution.size(info.plane_shape, pixel_mm(info))

    def _items(self, project: Project) -> ItemStore:
        if self._store is None or self._store.project is not project:
            facts = self.facts
            self._store = ItemStore(
                project,
                channels=facts.channels,
                scale=facts.scale,
                pixel_mm=facts.pixel_mm,
                context=facts.context,
                budget=2**28,
            )
        return self._store

    def _predicted(self, sight: Sight) -> Prediction:
        found = self._look(sight)
        assert isinstance(found, Prediction)
        return found

    def _look(self, sight: Sight, *, probabilities: bool = True) -> Seen:
        """What the network says; when memory runs out, in smaller tiles than before.

        Raises
        ------
        MemoryShort
            If not even the smallest fit.
        """
        for side in sides_to_try(self.side):
            try:
                placed = Sight(to_device(sight.small[None], self.device)[0], sight.size, sight.inner)
                seen = look(
                    placed, self.net, self.student, self._values, self.between, side=side,
                    probabilities=probabilities,
                )  # fmt: skip
            except (MemoryError, RuntimeError) as error:
                raise_unless_short(error)
            else:
                self._went_well(side)
                return seen
        raise nothing_fits()

    def _went_well(self, side: int | None) -> None:
        if side is not None and side != self.side:
            self.side = side
            self.smaller(side)


def _filled(facts: ModelFacts, weights: dict[str, Tensor], device: torch.device, path: Path) -> nn.Module:
    with checkpoint.understood(path):
        return place(facts.filled(weights, path), device).eval()
