"""Two worker processes answer as this one does, byte for byte, also when one of them is killed."""

import os
import signal
import sys
import uuid
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from specs import GREY, segmenter, tiling

from kerasseg.errors import UserError
from kerasseg.images.normalisation import Percentile
from kerasseg.images.stores.store import Opening
from kerasseg.inference.distributed import DaskBackend, StoredImage, connected
from kerasseg.inference.large_image import Output, segment
from kerasseg.inference.tiling import Tiling

dask = pytest.importorskip("distributed", reason="the extra dask is not installed")

OUTPUT = Output("probabilities", "tiff")
ONE_BY_ONE = tiling(batch_size=1)


def local(forward):
    return segmenter(forward, {"tta": "flips"}, normalise=Percentile(5, 98))


def squared(batch):
    """A model without TensorFlow, whose answers differ under rounding if they are added in another order."""
    return batch**2 / 3


@dataclass(frozen=True)
class Deadly:
    """Kills its process after ten batches of all, once."""

    folder: Path

    def __call__(self, batch):
        (self.folder / f"{uuid.uuid4()}.{os.getpid()}").touch()
        if len(list(self.folder.iterdir())) > 10:
            self._kill_the_first_to_come_here()
        return squared(batch)

    def _kill_the_first_to_come_here(self):
        with suppress(FileExistsError):
            (self.folder / "killed").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def cluster():
    with dask.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 60000, (151, 83), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    return tmp_path / "a.tif"


@pytest.fixture
def expected(image, tmp_path):
    segment(image, tmp_path / "here.tif", local(squared), OUTPUT)
    return tifffile.imread(tmp_path / "here.tif")


def predicted(image, cluster, forward=squared):
    with connected(cluster) as client:
        there = replace(local(squared), backend=DaskBackend(client, forward, "tensorflow"))
        segment(image, image.parent / "there.tif", there, OUTPUT)
    return tifffile.imread(image.parent / "there.tif")


def test_workers_answer_the_same_bytes(image, expected, cluster):
    assert predicted(image, cluster).tobytes() == expected.tobytes()


def test_a_worker_that_is_killed_costs_no_more_than_its_batches(image, expected, cluster, tmp_path):
    (tmp_path / "asked").mkdir()
    found = predicted(image, cluster, Deadly(tmp_path / "asked"))
    assert found.tobytes() == expected.tobytes()
    assert (tmp_path / "asked" / "killed").exists()
    assert not list((tmp_path / "asked").glob(f"*.{os.getpid()}"))


def test_what_was_begun_here_is_gone_on_with_there(image, expected, cluster):
    asked = []

    def dying(batch):
        asked.append(0)
        if len(asked) > 20:
            raise KeyboardInterrupt
        return squared(batch)

    with pytest.raises(KeyboardInterrupt):
        segment(image, image.parent / "there.tif", local(dying), OUTPUT)
    assert predicted(image, cluster).tobytes() == expected.tobytes()


def test_a_worker_that_cannot_read_says_who_it_is_and_what_it_missed(cluster):
    opening = Opening(Path("/only/here.tif"), None, None, False)
    image = StoredImage(opening, (40, 40, 1), GREY.preprocessing, 0)
    with connected(cluster) as client, pytest.raises(UserError) as caught:
        list(DaskBackend(client, squared, "").answers(image, Tiling((40, 40), 16), ONE_BY_ONE))
    assert caught.value.messages[0].startswith("worker tcp://127.0.0.1:")
    assert "/only/here.tif: there is no such file" in caught.value.messages[0]


@dataclass
class Now:
    """A cluster of three threads that answers at once and remembers how far ahead it was asked."""

    error: Exception | None = None
    asked: int = 0
    most: int = 0
    fetched: int = 0

    def nthreads(self):
        return {"a": 2, "b": 1}

    def submit(self, function, *args, pure, retries, **how):
        self.asked += 1
        self.most = max(self.most, self.asked - self.fetched)
        return Later(self, partial(function, *args, **how))


@dataclass
class Later:
    client: Now
    answer: partial

    def result(self):
        self.client.fetched += 1
        if self.client.error:
            raise self.client.error
        return self.answer()


def test_no_more_batches_are_on_their_way_than_keep_all_threads_busy():
    client, image = Now(), np.random.default_rng(0).random((160, 16, 1), np.float32)
    found = list(DaskBackend(client, squared, "").answers(image, Tiling((160, 16), 8), ONE_BY_ONE))
    assert len(found) == client.asked == 40
    assert client.most == 6


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CancelledError(), "the scheduler is gone"),
        (dask.comm.CommClosedError(), "the scheduler is gone"),
        (ModuleNotFoundError("No module named x"), r"module named x\): install kerasseg\[dask\]"),
        (RuntimeError("Error during deserialization"), "on the scheduler and on all workers"),
        (
            dask.KilledWorker("task", SimpleNamespace(address="tcp://a:1"), 3),
            "tcp://a:1 the last: give them more",
        ),
    ],
    ids=repr,
)
def test_what_may_become_of_a_cluster_is_said(error, message):
    image = np.zeros((8, 8, 1), np.float32)
    with pytest.raises(UserError, match=message):
        list(DaskBackend(Now(error), squared, "").answers(image, Tiling((8, 8), 8), ONE_BY_ONE))


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"kerasseg\[dask\]"), connected("tcp://localhost:8786"):
        pass


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:9", "post://a", "nowhere"])
def test_a_scheduler_that_is_not_there_is_named(scheduler):
    with pytest.raises(UserError, match=f"^{scheduler}: no scheduler answers"), connected(scheduler, 0.5):
        pass


def test_a_cluster_without_workers_is_said():
    with (
        dask.LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(UserError, match="has no worker"),
        connected(empty.scheduler_address, 0.5),
    ):
        pass
