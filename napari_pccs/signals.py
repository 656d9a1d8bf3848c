"""Every signal of the plugin, in one place, with what it carries.

A :class:`~napari_pccs.session.Session` owns one instance. All signals are emitted on the thread
that calls ``Session.tick`` (in napari: the Qt thread), never from a reader thread, so a listener
may touch widgets and layers directly.
"""

from __future__ import annotations

from psygnal import Signal, SignalGroup

from pccs.events import Finished, Progressed


class SessionSignals(SignalGroup):
    """What a session tells its listeners."""

    project_changed = Signal()
    """Another project is open, or none is. Everything may have changed."""

    classes_changed = Signal()
    """The project's classes (name, colour, number) have changed."""

    class_selected = Signal(int)
    """The class value strokes paint with now; 0 is the eraser."""

    items_changed = Signal()
    """Sources came or went: the list of items is another one."""

    item_changed = Signal(str)
    """The facts of one item (state, uncertainty, corrective Dice) have changed: its name."""

    current_changed = Signal()
    """Another item is on screen (``session.current``), or none is."""

    opening_changed = Signal()
    """What is waited for: an item on its way to the screen (``session.opening``), decisions that are not on
    disk yet (``session.decisions``)."""

    tool_changed = Signal()
    """The tool that accepts the prediction by mouse was taken up or put down."""

    annotation_replaced = Signal()
    """The annotation of the current item was changed by the program, not by the brush."""

    annotation_joined = Signal()
    """Strokes of others came into the annotation of the current item: no step of the undo history."""

    together_changed = Signal()
    """Of others: who is here, what they claim, where strokes differ (``session.together``)."""

    prediction_changed = Signal()
    """``session.prediction``, the prediction of the current item, is a newer one (or none)."""

    looks_changed = Signal()
    """A layer of ours was shown or hidden, by a key, a box, or napari's own eye."""

    training_changed = Signal()
    """Anything of ``session.training`` has changed: state, step, speed, curves."""

    models_changed = Signal()
    """Models were kept, deleted, or another one is in use."""

    worker_changed = Signal()
    """The worker started, said which device it has, or ended (``session.worker``)."""

    preferences_changed = Signal()
    """The lasting settings (``session.preferences``) are other ones."""

    suggestions_changed = Signal()
    """``session.suggestions`` holds other entries."""

    region_changed = Signal(object)
    """The region worth painting of the current item ``(row0, col0, row1, col1)``, or ``None``."""

    progressed = Signal(Progressed)
    """A background task of the worker has advanced."""

    finished = Signal(Finished)
    """A background task of the worker has ended."""

    said = Signal(str, str)
    """A sentence for the user: level and text. Levels are ``"info"``, ``"warning"``, ``"error"``, and
    ``"unforeseen"`` for a mistake of the program."""
