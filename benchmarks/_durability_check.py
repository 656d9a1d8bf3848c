"""After a round: does the project open, and is everything there that was acknowledged?"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tifffile

from benchmarks._durability_script import digest
from pccs.errors import PccsError
from pccs.project import Project

LATEST = 0.5
"""Seconds before a kill after which a stroke may be missing."""


@dataclass
class Verdict:
    """What was found after a round."""

    losses: list[str] = field(default_factory=list)
    """Promises that were broken, and files that were damaged."""
    unclear: list[str] = field(default_factory=list)
    """Refusals that were no sentence for a person."""
    unsaid: list[str] = field(default_factory=list)
    """Sentences that should have been said at opening, or said something else."""
    missing: float = 0.0
    """Age, at the kill, of the oldest stroke that is missing, in seconds."""
    sentence: str = ""
    refusals: int = 0


def read(diary: Path) -> list[dict[str, Any]]:
    """What the process said; a last line that was cut short is left out."""
    lines = diary.read_bytes().split(b"\n")[:-1] if diary.exists() else []
    return [json.loads(line) for line in lines]


def check(
    path: Path, diary: Path, before: dict[str, str], killed: float | None, *, faulty: bool = False
) -> Verdict:
    """Hold the project at ``path`` against the diary of who wrote it.

    Parameters
    ----------
    path
        The project.
    diary
        What the process said.
    before
        Digest of the annotation of each item before the round.
    killed
        When the process died (monotonic clock); ``None`` when it ended by itself.
    faulty
        Whether calls failed: then closing may have left its mark, and the next opening tells of it.
    """
    said = read(diary)
    verdict = Verdict()
    verdict.unclear = [one["sentence"] for one in said if one["what"] == "unclear"]
    verdict.losses = [f"{one['item']}: {one['sentence']}" for one in said if one["what"] == "lost"]
    verdict.refusals = sum(one["what"] in ("refused", "said error") for one in said)
    try:
        project = Project.open(path)
    except Exception as error:
        verdict.losses.append(f"it does not open: {type(error).__name__}: {error}")
        return verdict
    with project:
        verdict.sentence = project.recovered
        now = {item.name: digest(project.annotation(item)) for item in project.items}
        for name, state in now.items():
            _strokes(name, state, before[name], said, killed, verdict)
        _decisions(project, said, verdict)
        if not (faulty and killed is None):
            _opening(project, said, before, now, killed, verdict)
        _files(project, verdict)
    return verdict


def _strokes(
    name: str, state: str, first: str, said: list[dict[str, Any]], killed: float | None, verdict: Verdict
) -> None:
    """The raster is one that was painted, no older than the last that was acknowledged."""
    painted = [one for one in said if one["what"] == "painted" and one["item"] == name]
    states = [first, *(one["state"] for one in painted)]
    saved = [one["state"] for one in said if one["what"] == "saved" and one["item"] == name]
    if state not in states:
        verdict.losses.append(f"{name}: what is on disk was never painted")
        return
    there = len(states) - 1 - states[::-1].index(state)
    promised = len(states) - 1 - states[::-1].index(saved[-1]) if saved else 0
    if there < promised:
        verdict.losses.append(f"{name}: {promised - there} acknowledged strokes are missing")
    if killed is None and there < len(states) - 1:
        verdict.losses.append(f"{name}: {len(states) - 1 - there} strokes are missing after an orderly end")
    elif killed is not None and there < len(states) - 1:
        verdict.missing = max(verdict.missing, killed - painted[there]["t"])


def _decisions(project: Project, said: list[dict[str, Any]], verdict: Verdict) -> None:
    for item in project.items:
        own = [one for one in said if one.get("item") == item.name and one["what"].startswith("decid")]
        done = [k for k, one in enumerate(own) if one["what"] == "decided"]
        if not done:
            continue
        last = own[done[-1]]["complete"]  # later ones may be on their way when it is acknowledged
        begun = [k for k in range(done[-1]) if own[k]["complete"] == last and own[k]["what"] == "deciding"]
        allowed = {one["complete"] for one in own[begun[-1] :]}
        if project.is_complete(item) not in allowed:
            verdict.losses.append(f"{item.name}: a decision that was acknowledged is missing")


def _opening(
    project: Project,
    said: list[dict[str, Any]],
    before: dict[str, str],
    now: dict[str, str],
    killed: float | None,
    verdict: Verdict,
) -> None:
    """What opening says is true: that the last session was cut short, and how many items it painted."""
    kinds = {one["what"] for one in said}
    sentence = project.recovered
    if "damaged" in sentence:
        verdict.losses.append(f"a file is damaged: {sentence}")
    if killed is None or "closed" in kinds:
        if sentence:
            verdict.unsaid.append(f"said after an orderly end: {sentence}")
        return
    if "opened" not in kinds or "closing" in kinds:
        return  # it died while it opened or closed the project: both are true
    painted = sum(now[name] != state for name, state in before.items())
    found = re.search(r"annotations of (no|\d+) item", sentence)
    if "did not end properly" not in sentence or found is None:
        verdict.unsaid.append(f"nothing said of the session that was cut short: {sentence!r}")
    elif int(found[1].replace("no", "0")) < painted:
        verdict.unsaid.append(f"{painted} items were painted, and it says: {sentence}")


def _files(project: Project, verdict: Verdict) -> None:
    """Every file that is kept can be read, and nothing half-written is left."""
    for path in sorted(project.path.rglob("*")):
        if path.name.startswith(".tmp-"):
            verdict.losses.append(f"{path.name} is left")
    for path in sorted((project.path / "annotations").glob("*.tif")):
        try:
            tifffile.imread(path)
        except Exception as error:
            verdict.losses.append(f"{path.name} cannot be read: {error}")
    for item in project.items:
        snapshot = project.latest_snapshot(item)
        if snapshot is not None:
            try:
                project.read_snapshot(snapshot.path)
            except PccsError as error:
                verdict.losses.append(str(error))
    for run in project.runs():
        run.metrics()
        if run.has_checkpoint:
            _checkpoint(run.path, verdict)


def _checkpoint(run: Path, verdict: Verdict) -> None:
    from pccs.nets import checkpoint

    try:
        checkpoint.read(run)
    except PccsError as error:
        verdict.losses.append(str(error))


def window_told(diary: Path) -> list[str]:
    """What a window whose disk failed for a while left unsaid: strokes are not saved, and then they are."""
    heard = [one["sentence"] for one in read(diary) if one["what"].startswith("said ")]
    failed = [k for k, sentence in enumerate(heard) if "are not saved yet" in sentence]
    saved = [k for k, sentence in enumerate(heard) if sentence.endswith("are saved now.")]
    if not failed:
        return ["the window never said that strokes were not saved"]
    return (
        [] if saved and saved[-1] > failed[-1] else ["the window never said that they were saved in the end"]
    )


def worker_is_gone(project: Path, pid: int | None) -> bool:
    """Whether the worker has ended and another one may train."""
    if pid is not None:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            pass
        else:
            return _is_zombie(pid)
    return True


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
