"""The only module that touches the viewer's layers.

It shows what the session holds and reports strokes back. Updates happen in place: zoom, contrast,
selection and tool stay as the user left them. Every connection is kept in a list and undone in
:meth:`ViewerLink.cleanup`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QTimer

from napari_pccs import layer_looks
from napari_pccs.annotation_layer import ANNOTATION, AnnotationLayer
from napari_pccs.image_layers import ImageLayers
from napari_pccs.others_layers import OthersLayers
from napari_pccs.project_layers import export_table
from napari_pccs.review import Prediction
from napari_pccs.session import Session
from napari_pccs.slider import Slider
from napari_pccs.stacks import Stack
from napari_pccs.take_over import OUTLINE, TakeOver
from pccs.events import Region

if TYPE_CHECKING:
    from collections.abc import Iterator

    import napari
    from napari.layers import Image, Labels, Layer, Shapes

__all__ = ["ANNOTATION", "PREDICTION", "REGION", "UNCERTAINTY", "ViewerLink"]

PREDICTION = "Prediction"
UNCERTAINTY = "Uncertainty"
REGION = "Suggested region"
THUMBNAILS_MS = 300
"""Milliseconds after a prediction is shown until the thumbnails of its layers follow: with them napari draws
the list of layers anew, and the canvas comes first."""
TINY = 90
"""Pixels of the screen: a place that is looked at is shown at least this large."""


class ViewerLink:
    """Layers of one viewer, fed by one session.

    Parameters
    ----------
    viewer
        The napari viewer.
    session
        The session to show.
    on_layer
        Called with every layer this link adds, to bind keys to it.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        session: Session,
        on_layer: Callable[[Layer], None] | None = None,
    ) -> None:
        self.viewer = viewer
        self.session = session
        self.map_name = "uncertainty"
        self.threshold = 0.0
        self.prediction: Labels | None = None
        self.uncertainty: Image | None = None
        self._images = ImageLayers(self._add_image, self._remove, session.read_plane)
        self._slider = Slider(viewer, session, lambda: self._busy)
        self.region: Shapes | None = None
        self._drawing: Shapes | None = None
        self._on_layer = on_layer
        self._busy = False
        self._shown_shape: tuple[int, ...] | None = None
        self._tidied: tuple[Prediction, npt.NDArray[np.uint8]] | None = None
        self._visible = {
            ANNOTATION: True,
            PREDICTION: True,
            UNCERTAINTY: session.preferences.show_uncertainty,
        }
        self._connections: list[tuple[Any, Callable[..., Any]]] = []
        self._thumbnails = QTimer()
        self._thumbnails.setSingleShot(True)
        self._thumbnails.setInterval(THUMBNAILS_MS)
        self._thumbnails.timeout.connect(self._renew_thumbnails)
        self.paper = AnnotationLayer(
            session, self._add_annotation, self._connect, self._quiet, lambda: self._busy
        )
        self.others = OthersLayers(session, self._add_others, self._remove, self._activate)
        self.take_over = TakeOver(session, self.paper, self._outline, self._connect)
        signals = session.signals
        self._connect(signals.current_changed, self.show_item)
        self._connect(signals.opening_changed, self._slider.settle)
        self._connect(signals.annotation_replaced, self.show_annotation)
        self._connect(signals.annotation_joined, self.paper.take_in)
        self._connect(signals.together_changed, self._show_others)
        self._connect(signals.prediction_changed, self.show_prediction)
        self._connect(signals.training_changed, self._prepare_overlays)
        self._connect(signals.classes_changed, self._recolor)
        self._connect(signals.class_selected, self._select_class)
        self._connect(signals.region_changed, self.show_region)
        self._connect(signals.preferences_changed, self._repaint)
        self._connect(signals.items_changed, self._images.forget_stack)
        self._connect(viewer.layers.events.removed, self._on_removed)
        session.visible_part = self.visible_part

    @property
    def annotation(self) -> Labels | None:
        """The layer that is painted on, ``None`` while there is none."""
        return self.paper.layer

    @property
    def images(self) -> list[Image]:
        """The layers that show the current item's image."""
        return self._images.layers

    # ------------------------------------------------------------- showing

    def show_item(self) -> None:
        """Put the session's current item on screen, or clear it."""
        if self.session.current is None or self.session.plane is None:
            self._remove_all()
            return
        self._show_image(self.session.plane)
        self.show_annotation(fresh=True)
        self._show_others()
        self.show_prediction()

    def show_annotation(self, *, fresh: bool = False) -> None:
        """Show the session's annotation; with ``fresh`` the undo history begins anew."""
        self.paper.show(fresh=fresh)

    def visible_part(self) -> Region | None:
        """What of the current item is on the canvas, as the last drawing found it."""
        if self.annotation is None or self.annotation not in self.viewer.layers:
            return None
        (row0, col0), (row1, col1) = self.annotation.corner_pixels[:, -2:]
        high, wide = self.annotation.data.shape[-2:]
        part = (max(0, int(row0)), max(0, int(col0)), min(high, int(row1) + 1), min(wide, int(col1) + 1))
        return part if part[2] > part[0] + 1 and part[3] > part[1] + 1 else None

    def show_prediction(self) -> None:
        """Show the session's prediction and its uncertainty, or empty overlays when there is none."""
        shape = self._shown_shape
        if shape is None:
            return
        prediction = self.session.prediction
        labels = prediction.labels if prediction else np.zeros(shape, np.uint8)
        if self._tidied is not None and self._tidied[0] is prediction:
            labels = self._tidied[1]
        amount = getattr(prediction, self.map_name) if prediction else np.zeros(shape, np.float32)
        with self._quiet():
            if prediction is None and not self.session.training.active and not self._has_overlays():
                return
            if self.prediction is None:
                self.prediction = self._add_prediction(labels)
            else:
                layer_looks.fill(self.prediction, labels)
            if self.uncertainty is None:
                self.uncertainty = self._add_uncertainty(amount)
            else:
                layer_looks.fill(self.uncertainty, amount)
        self._thumbnails.start()

    def _renew_thumbnails(self) -> None:
        for layer in (self.prediction, self.uncertainty):
            if layer is not None:
                layer.refresh(data_displayed=False, highlight=False, extent=False)

    def show_tidied(self, prediction: Prediction | None, labels: npt.NDArray[np.uint8] | None) -> None:
        """Show ``labels`` in place of those of ``prediction``, as long as that is the one on screen.

        ``None`` shows what the model says again.
        """
        before = self._tidied
        self._tidied = (prediction, labels) if prediction is not None and labels is not None else None
        if before is not self._tidied:
            self.show_prediction()

    def _has_overlays(self) -> bool:
        return self.prediction is not None or self.uncertainty is not None

    def _prepare_overlays(self) -> None:
        """Make the overlays while the worker prepares: making layers is slow, filling them is not."""
        if self.session.training.active and self.session.prediction is None and not self._has_overlays():
            self.show_prediction()

    def show_map(self, name: str) -> None:
        """Show ``"uncertainty"`` or ``"disagreement"`` in the uncertainty layer."""
        self.map_name = name
        self.show_prediction()

    def show_above(self, threshold: float) -> None:
        """Tint only what is at least as uncertain as ``threshold``, in [0, 1]."""
        self.threshold = threshold
        if self.uncertainty is not None:
            self.uncertainty.colormap = layer_looks.uncertainty_colormap(threshold)

    def go_to_region(self, region: tuple[int, int, int, int]) -> None:
        """Move the view to a region of the current item, and nearer only when it would be tiny."""
        row0, col0, row1, col1 = region
        camera = self.viewer.scene.camera
        camera.center = (0.0, (row0 + row1 - 1) / 2, (col0 + col1 - 1) / 2)
        camera.zoom = max(camera.zoom, TINY / max(1, row1 - row0, col1 - col0))

    def show_region(self, region: tuple[int, int, int, int] | None) -> None:
        """Frame a region of the current item, or take the frame away."""
        with self._quiet():
            if self.region is not None:
                self._remove(self.region)
                self.region = None
            if region is None:
                return
            row0, col0, row1, col1 = (float(v) - 0.5 for v in region)
            box = np.array([[row0, col0], [row0, col1], [row1, col1], [row1, col0]])
            self.region = self._added(
                self.viewer.add_shapes(
                    [box],
                    shape_type="rectangle",
                    name=REGION,
                    edge_color="#ffd400",
                    face_color="transparent",
                    edge_width=max(1.0, min(self._shown_shape or (100,)) / 150),
                )
            )
            self.region.editable = False
            self._activate_annotation()

    # ------------------------------------------------------------ overlays

    def toggle(self, which: str) -> bool:
        """Show or hide one of the layers named above; whether it shows now."""
        visible = not self.is_visible(which)
        self.set_visible(which, visible)
        return visible

    def set_visible(self, which: str, visible: bool) -> None:
        """Show or hide an overlay, also one that is not there yet."""
        self._visible[which] = visible
        layer = self._overlay(which)
        if layer is not None:
            layer.visible = visible

    def is_visible(self, which: str) -> bool:
        """Whether an overlay shows, or will when it comes."""
        layer = self._overlay(which)
        return bool(layer.visible) if layer is not None else self._visible[which]

    def _overlay(self, which: str) -> Layer | None:
        if which == ANNOTATION:
            return self.annotation
        return self.prediction if which == PREDICTION else self.uncertainty

    # -------------------------------------------------------------- images

    def _show_image(self, plane: npt.NDArray[Any]) -> None:
        project, item = self.session.need_project(), self.session.need_item()
        info = project.sources[item.stem].info
        rgb = "S" in info.axes and plane.shape[-1] == 3
        stack = Stack(item.stem, info.stack_axes, info.stack_shape) if info.is_stack else None
        shape = plane.shape[:2]
        with self._quiet():
            self._images.show(plane, rgb=rgb, stack=stack, window=info.window)
            self._slider.follow(stack, item.index)
            if shape != self._shown_shape:
                self._fit_overlays(shape)
                self.viewer.reset_view()
        self._shown_shape = shape

    def _add_image(self, data: npt.NDArray[Any], look: dict[str, Any]) -> Image:
        """Add an image right under our overlays, above everything else."""
        layer: Image = self._added(self.viewer.add_image(data, **look))
        layers = self.viewer.layers
        ours = [o for o in (self.prediction, self.uncertainty, self.annotation) if o in layers]
        layers.move(layers.index(layer), min((layers.index(o) for o in ours), default=len(layers) - 1))
        self._activate_annotation()
        return layer

    def _fit_overlays(self, shape: tuple[int, ...]) -> None:
        """Make the overlays the size of the new image before the view is fitted to all layers."""
        self.paper.fit(shape)
        if self.prediction is not None:
            self.prediction.data = np.zeros(shape, np.uint8)
        if self.uncertainty is not None:
            self.uncertainty.data = np.zeros(shape, np.float32)

    # -------------------------------------------------------- other layers

    def _outline(self, on: bool) -> Shapes | None:
        """The layer a region is drawn in while the tool for taking over is in use."""
        with self._quiet():
            if not on:
                if self._drawing is not None:
                    self._remove(self._drawing)
                self._drawing = None
                return None
            look = {"edge_color": "#ffffff", "edge_width": max(0.5, min(self._shown_shape or (100,)) / 250)}
            self._drawing = self._added(self.viewer.add_shapes(None, ndim=2, name=OUTLINE, **look))
            self._activate_annotation()
            return self._drawing

    def _add_annotation(self, array: npt.NDArray[np.uint8], look: dict[str, Any]) -> Labels:
        look["visible"] = self._visible[ANNOTATION]
        layer: Labels = self._added(self.viewer.add_labels(array, **look))
        self.viewer.layers.selection.active = layer
        return layer

    def _show_others(self) -> None:
        """Other people have done something, or somebody else is painting this item."""
        if self._shown_shape is not None:
            with self._quiet():
                self.others.show()
            self.paper.guard()

    def _add_others(self, array: npt.NDArray[np.uint8], look: dict[str, Any], below: bool) -> Labels:
        layer: Labels = self._added(self.viewer.add_labels(array, **look))
        if below:
            self._below_annotation(layer)
        return layer

    def _activate(self, layer: Layer | None) -> None:
        """Make a layer the active one; ``None``: the one that is painted on."""
        if layer is None:
            self._activate_annotation()
        else:
            self.viewer.layers.selection.active = layer

    def _add_prediction(self, labels: npt.NDArray[np.uint8]) -> Labels:
        classes = self.session.need_project().classes
        layer: Labels = self._added(
            self.viewer.add_labels(
                labels.copy(),
                name=PREDICTION,
                opacity=self.session.preferences.prediction_opacity,
                visible=self._visible[PREDICTION],
                colormap=layer_looks.class_colormap(classes, hide_first=True),
                metadata=export_table(self.session.need_project()),
            )
        )
        layer.editable = False
        self._below_annotation(layer)
        return layer

    def _add_uncertainty(self, amount: npt.NDArray[np.float32]) -> Image:
        layer: Image = self._added(
            self.viewer.add_image(
                amount.copy(),
                name=UNCERTAINTY,
                colormap=layer_looks.uncertainty_colormap(self.threshold),
                contrast_limits=(0.0, 1.0),
                blending="translucent_no_depth",
                visible=self._visible[UNCERTAINTY],
            )
        )
        self._below_annotation(layer)
        return layer

    def _below_annotation(self, layer: Layer) -> None:
        """Put a new overlay under the strokes, which stay the active layer."""
        layers = self.viewer.layers
        if self.annotation in layers:
            layers.move(layers.index(layer), layers.index(self.annotation))
        self._activate_annotation()

    def _activate_annotation(self) -> None:
        if self.annotation is not None and self.annotation in self.viewer.layers:
            self.viewer.layers.selection.active = self.annotation

    def _recolor(self) -> None:
        if self.session.project is None:
            return
        classes, table = self.session.project.classes, export_table(self.session.project)
        with self._quiet():
            self.paper.recolor()
            self.others.recolor()
            if self.prediction is not None:
                self.prediction.colormap = layer_looks.class_colormap(classes, hide_first=True)
                self.prediction.metadata = table

    def _repaint(self) -> None:
        """The preferences have changed: layers that are there look as they say now."""
        self.paper.repaint()
        if self.prediction is not None:
            self.prediction.opacity = self.session.preferences.prediction_opacity

    # ------------------------------------------------------ from the viewer

    def _select_class(self, value: int) -> None:
        self.paper.select(value)
        self._activate_annotation()

    def _on_removed(self, event: Any) -> None:
        if self._busy:
            return
        layer = event.value  # compared by ==: what a plugin's viewer gives out are proxies
        if self.paper.forget(layer):
            self.take_over.put_down()
            return
        if self.others.forget(layer):
            return
        if layer == self.prediction:
            self.prediction = None
        elif layer == self.uncertainty:
            self.uncertainty = None
        elif layer == self.region:
            self.region = None
        else:
            self._images.forget(layer)

    # ------------------------------------------------------------- plumbing

    def _connect(self, signal: Any, slot: Callable[..., Any]) -> None:
        signal.connect(slot)
        self._connections.append((signal, slot))

    def _eye(self) -> None:
        """A layer was shown or hidden, also by napari's own eye: the next one of its kind will be too."""
        for which in self._visible:
            self._visible[which] = self.is_visible(which)
        self.session.signals.looks_changed.emit()

    def _added(self, layer: Any) -> Any:
        layer.events.visible.connect(self._eye)
        if self._on_layer is not None:
            self._on_layer(layer)
        return layer

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Changes made inside are ours, not the user's."""
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before

    def _remove(self, layer: Layer) -> None:
        if layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    def _remove_all(self) -> None:
        self.take_over.put_down()
        with self._quiet():
            self.others.clear()
            for layer in (self.annotation, self.prediction, self.uncertainty, self.region, *self.images):
                if layer is not None:
                    self._remove(layer)
        self.paper.layer = None
        self.prediction = self.uncertainty = self.region = None
        self._images.clear()
        self._shown_shape = None

    def cleanup(self) -> None:
        """Undo every connection; the layers stay as they are."""
        self._thumbnails.stop()
        self._slider.cleanup()
        self.take_over.put_down()
        for signal, slot in reversed(self._connections):
            with suppress(ValueError, RuntimeError):  # the layer, or the viewer, is gone already
                signal.disconnect(slot)
        self._connections.clear()
