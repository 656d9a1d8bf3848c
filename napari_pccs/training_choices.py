"""How to train, as far as a person has to choose: detail, effort, device and a few more.

Each choice is a setting of the project; what the project leaves open is taken from the preferences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_pccs.session import Session

CHOICES, DEVICE = "training_choices", "device"
"""Settings of the project: choice → option, and the device (which the command line reads too)."""


@dataclass(frozen=True)
class Option:
    """One option of a choice: its key, what a person reads, and what it sets."""

    key: str
    title: str
    sets: str


@dataclass(frozen=True)
class Choice:
    """One thing to choose. ``setting`` is its dotted name for ``pccs train --set``; the first option is
    the engine's own default and sets nothing unless a project says so."""

    key: str
    title: str
    about: str
    setting: str
    options: tuple[Option, ...]


DETAIL = Choice(
    "detail",
    "Detail",
    "At what size the network looks at the images.\n"
    "Automatic: chosen from the images and what you painted.\n"
    "Full size keeps the finest detail; half and a quarter see more of the picture at once and are faster.\n"
    "Where images say how large their pixels are, all are first brought to those of a typical image.",
    "data.scale",
    (
        Option("automatic", "Automatic", "auto"),
        Option("full", "Full size", "1.0"),
        Option("half", "Half size", "0.5"),
        Option("quarter", "Quarter size", "0.25"),
    ),
)
EFFORT = Choice(
    "effort",
    "Speed or quality",
    "Quick: a small network that learns within minutes on a laptop.\n"
    "Thorough: twice as wide, about four times the work in every step; for a GPU.",
    "net.widths",
    (Option("quick", "Quick", "8,16,32,64,96"), Option("thorough", "Thorough", "16,32,64,128,192")),
)
CROP = Choice(
    "crop",
    "Piece size",
    "Side of the square pieces that images are cut into for training, in the pixels the network sees.\n"
    "Larger pieces show more surroundings and take more memory and time.",
    "data.crop",
    (
        Option("96", "96", "96"),
        Option("64", "64", "64"),
        Option("128", "128", "128"),
        Option("192", "192", "192"),
    ),
)
ORIENTATION = Choice(
    "orientation",
    "Images have",
    "No up or down: pieces are turned and mirrored freely, as suits cells and tissue.\n"
    "An up and a down: only small turns, as suits ultrasound and whole organs.",
    "data.orientation",
    (Option("any", "no up or down", "any"), Option("upright", "an up and a down", "upright")),
)
CONTEXT = Choice(
    "context",
    "Slices beside",
    "Of a stack, slices before and after the one that is segmented that the network sees with it.\n"
    "Worth a try where slices lie close together and one alone leaves open what it shows; where they lie far "
    "apart it costs accuracy. Images that are no stacks gain nothing.",
    "data.context",
    (Option("0", "none", "0"), Option("1", "one on each side", "1"), Option("2", "two on each side", "2")),
)
HOLDOUT = Choice(
    "holdout",
    "Kept to measure",
    "Share of what you painted that is never trained on, so that the quality shown is honest.",
    "data.holdout",
    (Option("10", "10 %", "0.1"), Option("20", "20 %", "0.2"), Option("5", "5 %", "0.05")),
)
SEEN: tuple[Choice, ...] = (DETAIL, EFFORT)
FOLDED: tuple[Choice, ...] = (CROP, ORIENTATION, CONTEXT, HOLDOUT)
DEVICES = {
    "auto": "Automatic",
    "cpu": "CPU",
    "cuda": "NVIDIA GPU",
    "mps": "Apple GPU",
}


class TrainingChoices:
    """The choices of a session's project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def option(self, choice: Choice) -> str:
        """The chosen option of ``choice``: the project's, else the preferences', else the first."""
        own = self._own().get(choice.key, getattr(self._session.preferences, choice.key, None))
        return own if own in {option.key for option in choice.options} else choice.options[0].key

    def choose(self, choice: Choice, key: str) -> None:
        """Choose for this project, lastingly."""
        self._session.need_project().set_setting(CHOICES, {**self._own(), choice.key: key})

    def overrides(self, *, sized: bool = False, fresh: bool = False) -> dict[str, str]:
        """Settings for ``Train``: only what project or preferences say, so that a run goes on without.

        Parameters
        ----------
        sized
            The network has a size of its own: it is that of a model to begin with.
        fresh
            Another run begins, with nothing of those before.
        """
        found = {}
        sized = sized or (not fresh and self._began_with_a_model())
        for choice in (*SEEN, *FOLDED):
            if sized and choice in (EFFORT, CONTEXT):
                continue
            key = self.option(choice)
            if choice.key in self._own() or key != choice.options[0].key:
                found[choice.setting] = next(o.sets for o in choice.options if o.key == key)
        return found

    def begins_anew(self) -> str:
        """The title of a choice that the newest run was not made with, for which another run begins."""
        made_with = self._session.models.known.settings
        if made_with is None:
            return ""
        for choice in (*SEEN, *FOLDED):
            wanted = self.overrides().get(choice.setting)
            if wanted is not None and wanted != as_text(made_with, choice.setting):
                return choice.title
        return ""

    def _began_with_a_model(self) -> bool:
        """Whether the run in use did, which fixes its size."""
        return self._session.models.known.began

    def _own(self) -> dict[str, str]:
        project = self._session.project
        return dict(project.setting(CHOICES, dict[str, str]())) if project is not None else {}

    # -------------------------------------------------------------- device

    @property
    def device(self) -> str:
        """Where to train: the project's own device, else that of the preferences."""
        project = self._session.project
        own = project.setting(DEVICE, "") if project is not None else None
        return str(own or self._session.preferences.device)

    def choose_device(self, device: str) -> None:
        """Train there from now on; a worker that is idle makes way for one that does."""
        self._session.need_project().set_setting(DEVICE, device)
        self._session.run_on.renew()


def as_text(settings: Mapping[str, Any], name: str) -> str:
    """A setting of a run as ``--set`` takes it: ``{"net": {"widths": [8, 16]}}`` → ``"8,16"``."""
    value: Any = settings
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
