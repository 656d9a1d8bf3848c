"""Segmenting by the workers of a Dask cluster: real processes, one of which is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pccs.cluster import batches, fate, flight, segment_on_cluster, work
from pccs.cluster.flight import Flight
from pccs.cluster.job import Batch, Found, Job, Share
from pccs.cluster.places import Place
from pccs.errors import ClusterError, ExportError, ImageError, PccsError
from pccs.export import segment_to_folder, without_project
from pccs.export.journal import NAME, Journal
from pccs.images import find_images
from pccs.predict import Predictor
from pccs.predict.rows import rows_of_tiles
from pccs.project import Project
from tests.pccs.cluster.conftest import results

pytestmark = pytest.mark.timeout(480)  # several processes load torch, on a machine that may be busy


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return Predictor.from_model(model, device="cpu")


@pytest.fixture
def project(predictor: Predictor, images: Path, tmp_path: Path) -> Iterator[Project]:
    files = [f for f in find_images([images]) if f.stem != "broken"]
    with without_project(files, predictor.facts.classes, place=tmp_path) as project:
        yield project


@pytest.fixture(scope="module")
def plain(predictor: Predictor, images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What this process makes of the images by one thread, as a worker has."""
    out = tmp_path_factory.mktemp("plain")
    files = [f for f in find_images([images]) if f.stem != "broken"]
    with one_thread(), without_project(files, predictor.facts.classes) as project:
        segment_to_folder(project, predictor, out, uncertainty=True, probabilities=True)
    return results(out)


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def segment(client: Any, project: Project, predictor: Predictor, out: Path, **more: Any) -> list[str]:
    wanted = {"uncertainty": True, "probabilities": True} | more
    return segment_on_cluster(
        client, project, predictor, out, identity=predictor.identity(), device="cpu", **wanted
    )


def pids_of(place: Place) -> dict[str, int]:
    """The processes by address, when both are there: one may have been killed a moment ago."""
    limit = time.monotonic() + 200
    while len(pids := place.client.run(os.getpid, on_error="ignore")) < 2:
        assert time.monotonic() < limit
        place.tend()
        time.sleep(0.1)
    return dict(pids)


def test_results_are_those_of_one_process(client, project, predictor, plain, tmp_path):
    told: list[tuple[int, int]] = []
    stems = segment(client, project, predictor, tmp_path / "out", progress=lambda *n: told.append(n))
    assert stems == [*(f"i{k:02d}" for k in range(12)), "stack"]
    assert results(tmp_path / "out") == plain
    assert told[-1] == (31, 31)
    assert [done for done, _ in told] == sorted({done for done, _ in told}), "each plane is told once"


def test_a_process_that_dask_gave_up_is_started_again(place):
    nanny = next(iter(place.client.cluster.workers.values()))
    place.client.cluster.sync(nanny.close)  # as it does when its process dies while it begins
    assert nanny.status.name == "closed"
    assert len(pids_of(place)) == 2


def test_a_worker_is_killed_and_nothing_is_missing_or_twice(
    client, place, project, predictor, plain, tmp_path, monkeypatch
):
    pids = pids_of(place)
    lost: list[str] = []
    noted: list[str] = []
    monkeypatch.setattr(Journal, "add", _noting(Journal.add, noted))

    def kill(done: int, total: int) -> None:
        if pids and done >= 4:
            os.kill(pids.popitem()[1], signal.SIGKILL)
            pids.clear()

    stems = segment(client, project, predictor, tmp_path / "out", progress=kill, lost=lost.append)
    assert not pids
    assert lost
    assert len(stems) == 13
    assert sorted(noted) == sorted(stems)
    assert results(tmp_path / "out") == plain


def _noting(add: Callable[..., None], noted: list[str]) -> Callable[..., None]:
    def adding(journal: Journal, source: Any, items: Any) -> None:
        noted.append(source.stem)
        add(journal, source, items)

    return adding


def segment_in_part(client: Any, project: Project, predictor: Predictor, out: Path) -> None:
    """A call that is interrupted when some images are done."""

    def interrupt(done: int, total: int) -> None:
        if done >= 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(client, project, predictor, out, progress=interrupt)
    client.run(_at_rest)


def _at_rest() -> None:
    """Wait, in a worker, until the task at hand is done: these workers outlive the call."""
    with work._ONE_AT_A_TIME:
        pass


def test_what_a_call_has_finished_is_not_done_again(client, project, predictor, plain, tmp_path):
    out = tmp_path / "out"
    segment_in_part(client, project, predictor, out)
    finished = (out / NAME).read_text().count("\n") - 1
    assert finished >= 4
    assert not list(out.glob(".pccs-*"))
    before: list[int] = []
    assert len(segment(client, project, predictor, out, resumed=before.append)) == 13
    assert before == [finished]
    assert results(out) == plain


def test_one_process_goes_on_where_a_cluster_stopped(client, project, predictor, plain, tmp_path):
    out = tmp_path / "out"
    segment_in_part(client, project, predictor, out)
    before: list[int] = []
    with one_thread():
        segment_to_folder(
            project, predictor, out, uncertainty=True, probabilities=True,
            identity=predictor.identity(), resumed=before.append,
        )  # fmt: skip
    assert before[0] >= 4
    assert results(out) == plain


def test_some_items_and_an_image_that_went(client, project, predictor, tmp_path):
    source = project.sources["i03"]
    moved = source.info.path.rename(tmp_path / "elsewhere.png")
    errors: list[PccsError] = []
    try:
        chosen = project.select("i02,i03,stack:4,stack:11")
        out = tmp_path / "out"
        stems = segment(client, project, predictor, out, items=chosen, on_error=errors.append, fmt="npy")
    finally:
        moved.rename(source.info.path)
    assert stems == ["i02", "stack"]
    assert [type(e) for e in errors] == [ImageError]
    assert errors[0].path == source.info.path
    with one_thread():
        segment_to_folder(
            project, predictor, tmp_path / "here", items=project.select("i02,stack:4,stack:11"), fmt="npy",
            uncertainty=True, probabilities=True,
        )  # fmt: skip
    assert results(out) == results(tmp_path / "here")


def test_what_cannot_be_done_by_many_is_refused(client, project, predictor, tmp_path):
    with pytest.raises(ExportError, match="is one file for all images"):
        segment(client, project, predictor, tmp_path / "out", fmt="coco")
    with pytest.raises(ExportError, match="there is no format 'gif'"):
        segment(client, project, predictor, tmp_path / "out", fmt="gif")
    assert not (tmp_path / "out" / "masks").exists()


class _Deadly:
    """Makes every process of a cluster, new ones too, die of an image."""

    name = "deadly"

    def __init__(self, stem: str) -> None:
        self._stem = stem

    def setup(self, worker: Any) -> None:
        self._whole = work.whole

        def deadly(job: Job, share: Share) -> PccsError | None:
            if share.source.stem == self._stem:
                os._exit(9)
            return self._whole(job, share)

        work.whole = deadly

    def teardown(self, worker: Any) -> None:
        work.whole = self._whole


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A Zarr array in chunks that is looked at in eight rows of tiles."""
    zarr = pytest.importorskip("zarr", reason="the extra 'formats' is not installed")
    place = tmp_path / "large.zarr"
    array = zarr.create_array(place, shape=(5200, 400), chunks=(256, 256), dtype="uint8")
    array[...] = np.random.default_rng(0).integers(0, 255, (5200, 400), np.uint8)
    return place


@pytest.mark.parametrize("fmt", ["ome-zarr", "tiff"])
def test_rows_of_a_large_image_are_shared_though_a_worker_is_killed(
    client, place, predictor, large, tmp_path, monkeypatch, fmt
):
    pids, heard = pids_of(place), []
    original = Flight._event

    def event(flight: Any, future: Any, left: Any) -> Iterator[Any]:
        heard.append(future.key.split("-")[0])
        if len(heard) == 3:
            os.kill(pids.popitem()[1], signal.SIGKILL)
        yield from original(flight, future, left)

    monkeypatch.setattr(Flight, "_event", event)
    with without_project([large], predictor.facts.classes, axes="YX", place=tmp_path) as project:
        assert rows_of_tiles(predictor, project.sources["large"].info) == 8
        segment(client, project, predictor, tmp_path / "out", fmt=fmt)
        with one_thread():
            segment_to_folder(
                project, predictor, tmp_path / "plain", fmt=fmt, uncertainty=True, probabilities=True
            )
    assert heard.count("lines") == 8
    assert heard[-1] == "written"
    assert results(tmp_path / "out") == results(tmp_path / "plain")


# -------------------------------------------------------------------- one worker, without a cluster


@pytest.fixture
def job(project: Project, model: Path, tmp_path: Path) -> Job:
    return Job(project.path, model, tmp_path / "out", "tiff", ("masks",), "cpu", ())


def test_a_worker_refuses_what_is_not_meant(project, job):
    share = Share(project.sources["i00"], (0,))
    assert work.whole(job, share) is None
    other = replace(share, source=replace(share.source, stem="i99"))
    assert "'i99' is not what it was" in str(work.whole(job, other))
    old = replace(job, versions=(("torch", "1.0"), ("napari-pccs", "0.0")))
    for told in (work.whole(old, share), work.part(old, share)):
        assert isinstance(told, ClusterError)
        assert "a worker has torch" in str(told)
    assert work.written(job, share, [told]) is told


def test_a_worker_gives_back_what_another_has_begun(project, job):
    shares = tuple(Share(project.sources[stem], (0,)) for stem in ("i00", "i01"))
    found = work.several(job, Batch("several-1", shares))
    assert found is not None
    assert found.errors == (None, None)
    assert found.seconds > 0
    assert work.several(job, Batch("several-1", shares)) is None
    assert work.several(job, Batch("several-2", shares)) is not None
    old = replace(job, versions=(("torch", "1.0"),))
    assert [type(one) for one in work.several(old, Batch("several-3", shares)).errors] == [ClusterError]


class _Ended:
    """A task that ended in some way."""

    def __init__(
        self, status: str, error: Exception | None = None, key: str = "", found: Found | None = None
    ) -> None:
        self.status, self._error, self.key, self._found = status, error, key, found

    def result(self, timeout: float) -> Found | None:
        if self._error is not None:
            raise self._error
        return self._found

    def add_done_callback(self, done: Callable[[Any], None]) -> None:
        done(self)


class _Many:
    """A cluster of so many threads that does everything at once; it counts what it is asked for.

    A task of several images that has one of ``deadly`` ends as ``fate`` says, or as if begun before.
    """

    def __init__(self, threads: int, deadly: str = "", fate: Exception | None = None) -> None:
        self.threads, self.asked, self.sizes = threads, 0, list[int]()
        self._deadly, self._fate = deadly, fate

    def nthreads(self) -> dict[str, int]:
        return {"tcp://one": self.threads}

    def submit(self, task: Any, job: Job, batch: Batch, *, key: str, pure: bool) -> _Ended:
        self.asked += 1
        self.sizes.append(len(batch.shares))
        if len(batch.shares) > 1 and self._deadly in [share.source.stem for share in batch.shares]:
            return _Ended("error" if self._fate else "finished", self._fate, key)
        return _Ended(
            "finished", key=key, found=Found((None,) * len(batch.shares), 0.125 * len(batch.shares))
        )


@pytest.mark.parametrize(("threads", "ahead"), [(0, 32), (2, 32), (1000, 4000)])
def test_as_many_images_are_with_the_cluster_as_its_workers_need(project, job, threads, ahead):
    client, told = _Many(threads), []
    shares = [Share(project.sources["i00"], (0,))] * 5000
    events = Flight(client, job, told.append, lambda source: 1).events(iter(shares))
    next(events)
    assert client.asked == ahead
    assert told == [threads]
    assert sum(1 for _ in events) == 4999
    assert max(client.sizes) == (1 if threads == 1000 else 24), "3 s, and several tasks for each thread"
    assert client.sizes[-1] == 1


@pytest.mark.parametrize("given_up", [False, True])
def test_a_batch_that_a_worker_died_of_is_split(project, job, given_up):
    shares = [Share(source, (0,)) for stem, source in project.sources.items() if stem != "stack"] * 20
    client = _Many(2, "i03", _killed() if given_up else None)
    events = list(Flight(client, job, bool, lambda source: 1).events(shares))
    assert max(client.sizes) > 1
    assert sorted(event.share.source.stem for event in events) == sorted(one.source.stem for one in shares)
    assert all(event.ended and event.error is None and event.planes == 1 for event in events)


def test_images_whose_results_died_with_their_worker_are_waited_for(project, job, monkeypatch):
    monkeypatch.setattr(flight, "_PATIENCE", 0.01)
    client, gone = _Many(2), list[_Ended]()
    done = client.submit

    def submit(*task: Any, **named: Any) -> _Ended:
        gone.append(done(*task, **named))
        gone[-1].status = "lost"
        return gone[-1]

    def again(threads: int) -> None:
        for ended in gone[::2]:
            ended.status = "finished"
        del gone[::2]

    client.submit = submit  # type: ignore[method-assign]
    shares = [Share(source, (0,)) for stem, source in project.sources.items() if stem != "stack"] * 20
    events = list(Flight(client, job, again, lambda source: 1).events(shares))
    assert len(events) == len(shares)
    assert all(event.ended and event.error is None for event in events)
    assert client.asked < len(shares), "nothing was given out twice"


def test_what_the_cluster_says_of_a_task_becomes_a_sentence():
    assert fate.outcome_of(_Ended("error", _killed())) is fate.KILLED
    assert fate.outcome_of(_Ended("finished", _killed())) is fate.KILLED, "its result had been lost"
    assert "'i00' was given up" in str(fate.given_up("i00"))
    with pytest.raises(ClusterError, match="connection to the scheduler was lost"):
        fate.outcome_of(_Ended("cancelled"))
    with pytest.raises(ClusterError, match="a worker cannot load what it needs"):
        fate.outcome_of(_Ended("error", ModuleNotFoundError("No module named 'pccs'")))
    with pytest.raises(ZeroDivisionError):
        fate.outcome_of(_Ended("error", ZeroDivisionError()))


@pytest.mark.parametrize(
    "ended",
    [_Ended("lost"), _Ended("pending"), _Ended("finished", TimeoutError()), _Ended("finished", OSError())],
)
def test_a_result_that_was_gone_is_asked_for_again(ended):
    assert fate.outcome_of(ended) is fate.LOST


def test_a_task_may_itself_fail_as_a_lost_result_does():
    with pytest.raises(TimeoutError):
        fate.outcome_of(_Ended("error", TimeoutError()))


def _killed() -> Exception:
    import inspect

    from distributed.scheduler import KilledWorker

    three = len(inspect.signature(KilledWorker.__init__).parameters) > 3
    made: Exception = KilledWorker("several-1", None, 3) if three else KilledWorker("several-1", None)
    return made


@pytest.mark.parametrize("name", ["cpu", "cuda:1", "auto"])
def test_one_device_or_a_chosen_one_is_taken_as_it_is(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert work._device(name) == name


def test_several_gpus_are_shared_by_number(monkeypatch):
    import distributed

    class Worker:
        name: object = 5

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(distributed, "get_worker", Worker)
    assert work._device("auto") == "cuda:1"
    Worker.name = "SLURMCluster-12-3"
    assert work._device("cuda") == "cuda:3"
    Worker.name = "tcp://host"
    assert work._device("auto") == "auto"


def of_i11(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if "i11" in name}


def test_in_a_batch_an_image_that_kills_or_is_bad_costs_only_itself(
    client, place, project, predictor, plain, tmp_path, monkeypatch
):
    from distributed import WorkerPlugin

    monkeypatch.setattr(batches, "_SEVERAL", 1)
    monkeypatch.setattr(batches.Batches, "_seconds", lambda self, share: 0.25)  # six images are a task
    scheduler = client.cluster.scheduler
    monkeypatch.setattr(scheduler, "allowed_failures", 1)
    monkeypatch.setattr(flight, "_DEATHS", 2)
    client.register_plugin(type("Deadly", (_Deadly, WorkerPlugin), {})("i11"))
    moved = project.sources["i02"].info.path.rename(tmp_path / "elsewhere.png")
    errors: list[PccsError] = []
    chosen = project.select(",".join(f"i{k:02d}" for k in range(12)))
    try:
        stems = segment(
            client, project, predictor, tmp_path / "out",
            items=chosen, on_error=errors.append, look=lambda threads: place.tend(),
        )  # fmt: skip
    finally:
        moved.rename(project.sources["i02"].info.path)
        client.unregister_worker_plugin("deadly")
    assert stems == [f"i{k:02d}" for k in range(12) if k not in (2, 11)]
    bad, given_up = sorted(errors, key=lambda error: isinstance(error, ClusterError))
    assert isinstance(bad, ImageError)
    assert str(given_up).startswith("'i11' was given up")
    wanted = {name: data for name, data in plain.items() if not any(s in name for s in ("stack", "i02"))}
    assert {
        **results(tmp_path / "out"),
        **of_i11(plain),
    } == wanted  # a process that is being ended may have it
