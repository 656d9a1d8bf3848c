"""A large image: what is visible comes first, the rest later, and nothing urgent waits for it."""

from __future__ import annotations

from queue import SimpleQueue

import numpy as np
import pytest
import tifffile

from pccs import events as ev
from pccs.config import preset
from pccs.predict import Predictor
from pccs.predict.volume import ThroughVolumes
from pccs.train import Trainer
from pccs.worker.loop import Worker
from pccs.worker.watch import INTERRUPTED, WHOLE_SHARE, Watchlist

REGION = (400, 500, 700, 900)
OTHER = (700, 100, 1000, 400)


@pytest.fixture
def large(discs, small, tmp_path):
    """The discs, a small trained model, and an image of 1250 × 1250 that goes through it in tiles."""
    trainer = Trainer.start(discs, preset("pccs", small), device="cpu")
    for _ in range(3):
        trainer.step()
    trainer.save()
    noise = np.random.default_rng(1).integers(0, 255, (1250, 1250), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "large.tif", noise)
    discs.add_sources([tmp_path / "large.tif"])
    return discs


def work(project, *commands, reply=lambda event: None):
    """What a worker tells; ``reply`` gives further commands, an end among them."""
    told, inbox = [], SimpleQueue()

    def emit(event):
        told.append(event)
        for command in reply(event) or ():
            inbox.put(command)

    for command in commands:
        inbox.put(command)
    Worker(project, inbox, emit, device="cpu").run()
    return told


def snapshots(told):
    return [e for e in told if isinstance(e, ev.Snapshot)]


def test_a_part_has_the_size_of_its_region_and_agrees_with_the_whole(large):
    predictor = Predictor.load(large)
    assert predictor.is_large(large, "large")
    assert not predictor.is_large(large, "d0")
    whole = predictor.predict_item(large, "d0")
    part = predictor.predict_part(large, "d0", (10, 20, 40, 44))  # its surroundings are the whole image
    assert part.labels.shape == (30, 24)
    assert part.probabilities.shape == (2, 30, 24)
    np.testing.assert_allclose(part.probabilities, whole.probabilities[:, 10:40, 20:44], atol=1e-5)
    assert (part.disagreement is None) == (whole.disagreement is None)


def test_what_is_visible_is_written_before_the_whole(large):
    def reply(event):
        return (None,) if isinstance(event, ev.Snapshot) and event.region is None else ()

    told = work(large, ev.Watch(("large",), REGION), ev.Predict(("large",)), reply=reply)
    part, whole = snapshots(told)
    assert (part.region, part.rev) == (REGION, 0)
    assert whole.region is None
    assert whole.rev == 1
    assert large.latest_snapshot("large").rev == 1  # a part is no item's newest prediction
    assert large.read_snapshot(part.path).shape == (3, 300, 400)


def test_while_training_another_part_is_due_at_once_and_stop_does_not_wait(large, monkeypatch):
    from pccs.worker import watch

    monkeypatch.setattr(watch, "FIRST_STEP", 4)
    monkeypatch.setattr(watch, "PAUSE", 0.0)

    def reply(event):
        if isinstance(event, ev.Snapshot) and event.region == REGION:
            return (ev.Watch(("large",), OTHER),)
        if isinstance(event, ev.Snapshot) and event.region == OTHER:
            return (ev.Stop(),)
        return (None,) if isinstance(event, ev.Finished) else ()

    told = work(large, ev.Watch(("large",), REGION), ev.Train(), reply=reply)
    regions = [e.region for e in snapshots(told)]
    assert regions[0] == REGION
    assert regions[-1] == OTHER
    assert None not in regions  # the whole, seconds of work, gave way each time
    assert next(e for e in told if isinstance(e, ev.Finished)).outcome == "kept"


def test_segmenting_stops_in_the_middle_of_a_large_image(large):
    def reply(event):
        if isinstance(event, ev.Progressed):
            return (ev.StopSegment(),)
        return (None,) if isinstance(event, ev.Finished) else ()

    told = work(large, ev.Segment(("large", "d3")), reply=reply)
    (end,) = (e for e in told if isinstance(e, ev.Finished))
    assert (end.outcome, end.message) == ("stopped", "0 of 2 items are segmented.")
    assert snapshots(told) == []


def test_volumes_are_segmented_along_three_directions(large, tmp_path):
    volume = np.random.default_rng(2).integers(0, 255, (3, 24, 30), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "v.tif", volume, metadata={"axes": "ZYX"}, photometric="minisblack")
    large.add_sources([tmp_path / "v.tif"])

    def reply(event):
        return (None,) if isinstance(event, ev.Finished) else ()

    told = work(large, ev.Segment(("v:0", "v:2", "d0"), 3), reply=reply)
    assert [e.item for e in snapshots(told)] == ["v:0", "v:2", "d0"]
    predictor = Predictor.load(large, device="cpu")
    found = large.read_snapshot(large.latest_snapshot("v:2").path)
    wanted = ThroughVolumes(predictor).look_at(large, "v:2").as_snapshot()
    assert np.abs(found[1].astype(int) - wanted[1]).max() <= 1
    assert np.abs(found[1].astype(int) - predictor.look_at(large, "v:2").as_snapshot()[1]).max() > 1


def test_the_whole_is_due_after_the_part_then_rarely():
    watched = Watchlist()
    watched.set(("a", "b"), REGION)
    assert watched.visible_part("b", 0.0) is None
    assert watched.visible_part("a", 1.0) == REGION
    assert watched.visible_part("a", 1.0) is None
    watched.took_whole(2.0, 3.0)
    wait = 2.0 * (1 / WHOLE_SHARE - 1)
    assert watched.visible_part("a", 3.0 + wait - 0.1) == REGION
    assert watched.visible_part("a", 3.0 + wait) is None
    watched.interrupted(30.0)
    assert watched.visible_part("a", 30.0 + INTERRUPTED - 0.1) == REGION
    watched.set(("a", "b"), OTHER)
    assert watched.due(30.1, 100)
    watched.set(("b",), OTHER)
    assert watched.visible_part("b", 31.0) == OTHER
