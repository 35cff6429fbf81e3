"""The lake's volume is full: nothing is lost, nothing is half there, and it goes on by itself when there is room."""

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.regional import RegionDatabase
from tests.support.stream import Stream, await_that, running_broker, seeded, stream_on

VOLUME_MB = 8


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for the lake, so small that it can be filled."""
    folder = tmp_path / "lake"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME_MB}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a volume of its own needs the right to mount one")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


@pytest.fixture
def stream(new_region_database: Callable[..., RegionDatabase], volume: Path, tmp_path: Path) -> Iterator[Stream]:
    assert volume == tmp_path / "lake", "where the stream puts its lake"
    with running_broker(tmp_path) as broker, stream_on(new_region_database(), broker.bootstrap, tmp_path) as stream:
        yield stream


def test_a_full_volume_loses_nothing_and_the_ingest_goes_on_when_there_is_room(stream: Stream, volume: Path) -> None:
    random = seeded()
    processes = [stream.start("relay"), stream.start("ingest")]
    ids = stream.trade(random, 10)
    stream.await_lake(ids)
    ballast = volume / "ballast"
    # All but a few blocks: the next commits write part of their files and then fail, at another place each time.
    fill(ballast, leave=random.randrange(0, 16_384, 4096))
    for _ in range(4):
        ids += stream.trade(random, 20)
    await_that("the ingest notices", lambda: "starts over" in stream.log("ingest") or processes[1].poll() is not None)
    assert "No space left" in stream.log("ingest")
    found = stream.in_lake()
    assert found <= Counter(ids), "what is there is whole"
    ballast.unlink()
    stream.await_lake(ids)
    ids += stream.trade(random, 10)
    stream.await_lake(ids)
    assert all(process.poll() is None for process in processes)
    lake = stream.lake()
    assert all(pq.ParquetFile(path).metadata.num_rows for path in lake.files("events").files)
    lake.close()


def fill(path: Path, leave: int) -> None:
    """Write until the volume is full, then give some bytes back."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave))
