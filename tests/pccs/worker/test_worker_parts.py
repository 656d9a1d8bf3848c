"""The worker's parts in this process: when to go on, when to begin, what to do when it goes wrong."""

from __future__ import annotations

import json
import shutil
import time
from queue import SimpleQueue
from threading import Thread

import pytest

from pccs import events as ev
from pccs.config import preset
from pccs.errors import ConfigError, ProjectLocked
from pccs.labels import make_class
from pccs.suggest import suggest, survey_of
from pccs.train import Trainer
from pccs.train.choice import Best
from pccs.worker import loop
from pccs.worker.begin import Wish, begin
from pccs.worker.loop import Worker
from pccs.worker.segmenting import SegmentTask
from pccs.worker.snapshots import Snapshots
from pccs.worker.training import Session
from pccs.worker.watch import FIRST_STEP, PAUSE, REFUSED, FairShare, Watchlist

# ------------------------------------------------------------------ begin


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (Wish(), None),
        (Wish(preset="pccs", seed=0), None),
        (Wish(overrides={"data.crop": "32"}), None),
        (Wish(fresh=True), "fresh"),
        (Wish(preset="supervised"), "has preset 'pccs'"),
        (Wish(seed=4), "has seed 0"),
        (Wish(overrides={"data.crop": "48"}), "has data.crop=32"),
    ],
)
def test_a_run_goes_on_unless_something_else_is_wanted(discs, trainer, wish, reason):
    found, sentence = begin(discs, wish, device="cpu")
    if reason is None:
        assert found.run.name == trainer.run.name
        assert found.step_count == 3
        assert "goes on from step 3" in sentence
    else:
        assert found.run.name != trainer.run.name
        assert found.step_count == 0
        assert reason in sentence


def test_other_classes_begin_another_run(discs, trainer):
    discs.set_classes([*discs.classes, make_class(3, "third")])
    found, sentence = begin(discs, Wish(), device="cpu")
    assert len(found.facts.classes) == 3
    assert "classes have changed" in sentence


def test_runs_that_never_saved_are_removed(discs, small):
    empty = discs.new_run(preset("pccs", small))
    found, _ = begin(discs, Wish(overrides=small), device="cpu")
    assert not empty.path.exists() or empty.path == found.run.path
    assert len(discs.runs()) == 1


def test_a_wrong_wish_touches_nothing(discs, trainer):
    with pytest.raises(ConfigError, match="nosuch"):
        begin(discs, Wish(overrides={"nosuch": "1"}), device="cpu")
    assert len(discs.runs()) == 1


def test_the_bounds_of_a_session(trainer):
    told = []
    session = Session(trainer, ev.Train(steps=4), told.append)
    while not session.complete:
        session.step()
    assert session.trainer.step_count == 7
    timed = Session(trainer, ev.Train(seconds=0.2), told.append)
    began = time.monotonic()
    while not timed.complete:
        timed.step()
    assert 0.15 < time.monotonic() - began < 3


# ------------------------------------------------------- watching, sharing


def test_the_first_watched_item_gets_every_other_turn():
    watch = Watchlist()
    assert not watch.due(0, 100)
    watch.set(("a", "b", "c"))
    assert not watch.due(0, FIRST_STEP - 1)
    assert watch.due(0, FIRST_STEP)
    assert [watch.next_item() for _ in range(6)] == ["a", "b", "a", "c", "a", "b"]
    watch.set(("b",))
    assert [watch.next_item() for _ in range(3)] == ["b", "b", "b"]
    watch.drop("b")
    assert not watch.due(1e9, 100)


@pytest.mark.parametrize("cost", [0.01, 0.5, 5.0])
def test_predicting_takes_a_fifth_of_the_time_at_most(cost):
    watch, now, predicting = Watchlist(), 0.0, 0.0
    watch.set(("a",))
    while now < 500:
        if watch.due(now, 50):
            predicting += cost
            now += cost
            watch.took(cost, now)
        now += 0.1
    assert predicting / now <= 0.21
    assert predicting / cost > 500 / (PAUSE + 5 * cost + 0.2) * 0.8  # and not much less than it may


def test_the_first_snapshot_of_a_training_does_not_wait_for_one_of_the_last():
    watch = Watchlist()
    watch.set(("a", "b"))
    watch.took(60.0, now=100.0)
    assert not watch.due(101.0, FIRST_STEP)
    watch.begin()
    assert watch.due(101.0, FIRST_STEP)
    assert watch.next_item() == "a"


def test_a_prediction_that_the_disk_refused_is_tried_again_after_a_while():
    watch = Watchlist()
    watch.set(("a",))
    watch.refused(100.0)
    assert not watch.due(100.0 + REFUSED - 0.1, FIRST_STEP)
    assert watch.due(100.0 + REFUSED, FIRST_STEP)


def test_two_kinds_of_work_share_the_time():
    share, spent = FairShare(), {"train": 0.0, "segment": 0.0}
    for _ in range(300):
        who = share.turn()
        seconds = 0.3 if who == "train" else 2.0
        share.took(who, seconds)
        spent[who] += seconds
    assert spent["train"] == pytest.approx(spent["segment"], rel=0.05)


def test_an_unreadable_item_is_passed_over(discs):
    told = []
    task = SegmentTask(("d0", "nosuch", "d1"), told.append)
    done = []
    while not task.complete:
        task.advance(lambda name: done.append(discs.item(name).name))
    task.end("done")
    assert done == ["d0", "d1"]
    assert [e.done for e in told if isinstance(e, ev.Progressed)] == [0, 1, 2, 3]
    assert any("nosuch" in e.message for e in told if isinstance(e, ev.Noticed))
    assert told[-1] == ev.Finished("segment", "done", "2 of 3 items are segmented.")


# ------------------------------------------------------------ loop, process


def run_worker(project, *commands, until=None):
    """What a worker tells; it is ended at once, or when ``until`` (a kind of event) has been told."""
    inbox, told = SimpleQueue(), []

    def emit(event: ev.Event) -> None:
        told.append(event)
        if until is not None and until(event):
            inbox.put(None)

    for command in commands:
        inbox.put(command)
    if until is None:
        inbox.put(None)
    Worker(project, inbox, emit, device="cpu").run()
    return told


def training_ended(event: ev.Event) -> bool:
    return isinstance(event, ev.Finished) and event.task == "train"


def test_an_untrained_project_says_so_and_the_worker_lives_on(discs):
    told = run_worker(discs, ev.Segment(), ev.Stop(), ev.Cancel(), ev.Pause(), ev.Resume(), ev.StopSegment())
    (end,) = (e for e in told if isinstance(e, ev.Finished))
    assert (end.task, end.outcome) == ("segment", "failed")
    assert "train" in end.message.lower()


def test_a_damaged_checkpoint_costs_a_sentence_with_a_way_out(discs, trainer):
    run = trainer.run.path
    pointer = json.loads((run / "checkpoint.json").read_text())
    (run / pointer["tensors"]).write_bytes(bytes(64))  # as a failing disk would
    told = run_worker(discs, ev.Train(), ev.Predict(("d0",)))
    (end,) = (e for e in told if isinstance(e, ev.Finished))
    assert (end.task, end.outcome) == ("train", "failed")
    assert "cannot be read" in end.message
    assert "--fresh" in end.message


def test_an_unforeseen_error_goes_to_the_log_and_the_worker_lives_on(discs, trainer, capsys):
    shutil.rmtree(discs.path / "predictions", ignore_errors=True)
    (discs.path / "predictions").write_text("a file where a folder should be")
    told = run_worker(discs, ev.Predict(("d0",)), ev.Train(steps=2), until=training_ended)
    errors = [e.message for e in told if isinstance(e, ev.Noticed) and e.level == "error"]
    assert len(errors) == 1
    assert "predictions" in errors[0]
    assert "worker.log" in errors[0]
    assert "Traceback" in capsys.readouterr().err
    assert [e.outcome for e in told if isinstance(e, ev.Finished)] == ["kept"]


def test_a_watched_item_that_cannot_be_predicted_does_not_end_training(discs, trainer):
    for _ in range(FIRST_STEP):
        trainer.step()
    trainer.save()
    told = run_worker(discs, ev.Watch(("nosuch", "d2")), ev.Train(steps=5), until=training_ended)
    (warning,) = (e.message for e in told if isinstance(e, ev.Noticed) and e.level == "warning")
    assert "nosuch is not predicted any more" in warning
    assert [e.outcome for e in told if isinstance(e, ev.Finished)] == ["kept"]


def test_a_disk_that_refuses_predictions_is_told_once_until_it_takes_them(discs, trainer, monkeypatch):
    for _ in range(FIRST_STEP):
        trainer.step()
    trainer.save()
    tries, write = [], Snapshots.whole

    def refusing(self, predictor, item, step):
        tries.append(item)
        if len(tries) in (1, 2, 4):
            raise OSError(28, "No space left on device")
        write(self, predictor, item, step)

    monkeypatch.setattr(Snapshots, "whole", refusing)
    monkeypatch.setattr("pccs.worker.watch.REFUSED", 0.0)
    monkeypatch.setattr("pccs.worker.watch.PAUSE", 0.0)
    told = run_worker(discs, ev.Watch(("d2",)), ev.Train(), until=lambda e: len(tries) > 4)
    warnings = [e.message for e in told if isinstance(e, ev.Noticed) and e.level == "warning"]
    assert [words.partition(":")[0] for words in warnings] == ["Predictions are not saved now"] * 2


def test_what_is_on_screen_is_predicted_anew_after_a_cancel(discs, trainer):
    told = run_worker(
        discs,
        *(ev.Watch(("d2", "d3")), ev.Train(), ev.Cancel()),
        until=lambda e: isinstance(e, ev.Snapshot) and e.item == "d3",
    )
    cancelled = next(k for k, e in enumerate(told) if isinstance(e, ev.Finished))
    assert told[cancelled].outcome == "discarded"
    assert [e.item for e in told[cancelled:] if isinstance(e, ev.Snapshot)] == ["d2", "d3"]
    assert discs.latest_snapshot("d2").step == 3


def test_suggestions_come_while_training_and_before_anything_is_trained(discs, small):

    def answered(event: ev.Event) -> bool:
        return isinstance(event, ev.Suggested)

    before = run_worker(discs, ev.Suggest(count=1), until=answered)
    (answer,) = (e for e in before if isinstance(e, ev.Suggested))
    assert answer.strategy == "random"
    assert answer.suggestions[0].item in {"d2", "d3"}
    told = run_worker(discs, ev.Train(settings=small), ev.Suggest(count=5, skip=("d2",)), until=answered)
    (answer,) = (e for e in told if isinstance(e, ev.Suggested))
    assert [s.item for s in answer.suggestions] == ["d3"]
    assert [e.done for e in told if isinstance(e, ev.Progressed) and e.task == "suggest"] == [1]


def test_what_is_suggested_is_predicted_before_anybody_opens_it(discs, trainer):
    trainer.step()
    trainer.save()
    seen: list[str] = []

    def both_came(event: ev.Event) -> bool:
        seen.extend([event.item] if isinstance(event, ev.Snapshot) else [])
        return set(seen) >= {"d2", "d3"}

    run_worker(discs, ev.Suggest(count=2, strategy="entropy"), until=both_came)
    assert sorted(seen) == ["d2", "d3"]


def test_what_a_comparison_left_out_is_looked_at_while_nothing_else_is_to_do(discs, monkeypatch):
    monkeypatch.setattr(loop, "_LOOK_AT", 1)
    answered = []

    def all_known(event: ev.Event) -> bool:
        if isinstance(event, ev.Suggested):
            answered.extend(event.suggestions)
            assert not survey_of(discs).finished
            Thread(target=end_when_known).start()
        return False

    inbox: SimpleQueue = SimpleQueue()

    def end_when_known() -> None:
        while not survey_of(discs).finished:
            time.sleep(0.01)
        inbox.put(None)

    inbox.put(ev.Suggest(count=1, strategy="diversity"))
    Worker(discs, inbox, all_known, device="cpu").run()
    assert "(of 1 looked at among 2)" in answered[0].reason
    (found,) = suggest(discs, None, strategy="diversity", count=1, limit=1)[1]
    assert "looked at among" not in found.reason


def test_a_ranking_gives_way_to_a_command_that_ends_things(discs, trainer):
    told = run_worker(discs, ev.Suggest(count=5))  # the end of all commands comes right behind it
    assert not [e for e in told if isinstance(e, ev.Suggested)]


def test_a_predecessor_that_stays_is_named(discs):
    with discs.worker_lock(), pytest.raises(ProjectLocked, match="trains in"), discs.worker_lock(0.2):
        pass


def test_a_session_predicts_with_the_model_that_is_shown(trainer):
    session = Session(trainer, ev.Train(), print)
    assert session.predictor.net is trainer.learner.teacher.net
    choice = trainer.judge.choice
    choice.best = Best(2, 0.9, 0.01)
    choice.weights = {k: v.clone() for k, v in trainer.learner.teacher.net.state_dict().items()}
    choice.showing_best = True
    session.step()
    assert session.predictor.step == trainer.shown_step == 2
    session.annotation_changed("d0")
    assert session.predictor.net is trainer.learner.teacher.net
    assert trainer.shown_step == 4


def test_a_pause_tells_the_very_step_it_holds(trainer):
    told = []
    session = Session(trainer, ev.Train(), told.append)
    session.step()  # too soon after the beginning to be told by itself
    assert not [e for e in told if isinstance(e, ev.Stepped)]
    session.pause(True)
    last = [e for e in told if isinstance(e, ev.Stepped | ev.StateChanged)][-2:]
    assert [type(e) for e in last] == [ev.Stepped, ev.StateChanged]
    assert last[0].step == trainer.step_count


def test_a_measurement_is_told_with_its_error_and_in_words(discs, small):
    told = []
    settings = preset("pccs", {**small, "validate_every": "2", "data.holdout": "0.4"})
    session = Session(Trainer.start(discs, settings, device="cpu"), ev.Train(), told.append)
    session.step()
    session.step()
    (found,) = [e for e in told if isinstance(e, ev.Validated)]
    assert found.items == 2
    assert found.error is not None
    assert found.summary == (
        f"Dice about {found.dice:.2f} ± {found.error:.2f} on strokes it has not seen in 2 images it knows"
    )
    assert ev.decode_event(ev.encode(found)) == found
    assert session.trainer.run.metrics()[-1]["summary"] == found.summary
