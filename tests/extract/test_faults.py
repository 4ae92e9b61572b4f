"""Kills, full disks and races: a cache file is whole or absent, and finished segments are kept."""

from __future__ import annotations

import errno
import itertools
import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

import pytest
import torch
from extracting import make_game, tiny_encoder, tiny_settings
from killing import end_of, in_child, start_child

from bas.errors import OutputError, StoppedError
from bas.extract import segments as segments_module
from bas.extract.encoder import FrozenEncoder
from bas.extract.fingerprint import fingerprint_of
from bas.extract.run import extract
from bas.extract.task import VideoTask
from bas.extract.video import VideoReport, extract_video
from bas.extract.weights import weights_digest
from bas.signals import StopFlag

FAILING = ("mkdir", "open", "posix_fallocate", "pwrite", "fsync", "replace")
OPERATIONS = (*FAILING, "unlink", "rmdir")


class Bench:
    """One video, an encoder that is ready, and a log of the segments that were computed."""

    def __init__(self, folder: Path, pictures: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.settings = tiny_settings(folder)
        self.game = make_game(folder / "data", pictures=pictures)
        encoder = tiny_encoder()
        self.encoder = FrozenEncoder(encoder, size=(64, 96), grid=(2, 2), precision="fp32", device="cpu")
        self.fingerprint = fingerprint_of(self.settings, weights=weights_digest(encoder))
        self.stop = StopFlag()
        self._log = os.open(folder / "computed", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        publish, write = segments_module._publish, os.write

        def noted(work: Any, segment: int, *arguments: Any, **options: Any) -> Any:
            write(self._log, f"{segment}\n".encode())
            return publish(work, segment, *arguments, **options)

        monkeypatch.setattr(segments_module, "_publish", noted)

    def run(self, features: str) -> VideoReport:
        return extract_video(
            VideoTask(
                game=self.game.id,
                video=self.game.videos[0].path,
                target=self.target(features),
                settings=self.settings,
                fingerprint=self.fingerprint,
                encoder=lambda precision: self.encoder,
                row_shape=(64, 2, 2),
                decoder="cpu",
                stop=self.stop,
            )
        )

    def target(self, features: str) -> Path:
        return self.folder / features / "v.h5"

    def num_computed(self) -> int:
        """How many segments were computed since the last call of `computed`."""
        return (self.folder / "computed").read_text().count("\n")

    def computed(self) -> Counter[int]:
        """How often each segment was computed since the last call."""
        text = (self.folder / "computed").read_text()
        os.truncate(self.folder / "computed", 0)
        return Counter(int(line) for line in text.split())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads do not survive a fork, and their number may change the last bit of a sum."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, 38, monkeypatch)  # 19 rows: a segment of 12 and one of 7


class Fault:
    """The n-th operation on a file fails, or is the last thing that the process does."""

    def __init__(self, number: int, kind: Literal["kill", "fail"]) -> None:
        self.number = self.left = number
        self.kind = kind

    def install(self) -> None:
        for name in OPERATIONS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0 and self.kind == "kill":
                if name == "pwrite":
                    half_a_write(real, *arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            if self.left == 0 and name in FAILING:
                code = errno.ENOSPC if self.number % 2 else errno.EIO
                raise OSError(code, os.strerror(code))
            return real(*arguments, **options)

        return operation


def half_a_write(real: Callable[..., int], descriptor: int, content: memoryview, offset: int) -> int:
    """What a filling disk does: it takes less than it is given."""
    return real(descriptor, content[: (len(content) + 1) // 2], offset)


NO_SUCH_OPERATION = 99


def run_with(fault: Fault, bench: Bench, features: str) -> int:
    def work() -> None:
        fault.install()
        bench.run(features)
        if fault.left > 0:
            os._exit(NO_SUCH_OPERATION)

    return in_child(work)


@pytest.mark.parametrize("kind", ["kill", "fail"])
def test_every_file_operation_may_fail_in_turn(bench: Bench, kind: Literal["kill", "fail"]) -> None:
    bench.run("whole")
    whole = bench.target("whole").read_bytes()
    bench.computed()
    for number in itertools.count(1):
        features = f"{kind}-{number}"
        target = bench.target(features)
        code = run_with(Fault(number, kind), bench, features)
        if code == NO_SUCH_OPERATION:
            break
        assert code in ({-signal.SIGKILL} if kind == "kill" else {0, 74}), (number, code)
        assert not target.exists() or target.read_bytes() == whole, number
        if code == 74:
            assert not list(target.parent.rglob("*.tmp.*")), number
        bench.run(features)
        assert target.read_bytes() == whole, number
        assert {path.name for path in target.parent.iterdir()} == {"v.h5", "v.lock"}, number
        assert sum(bench.computed().values()) <= 3, number  # two segments, and one of them twice
    assert number > 30


def test_writes_that_take_less_than_they_are_given_are_continued(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run("whole")
    monkeypatch.setattr(os, "pwrite", partial(half_a_write, os.pwrite))
    bench.run("short")
    assert bench.target("short").read_bytes() == bench.target("whole").read_bytes()


def test_kill_9_at_random_moments_costs_a_segment_each_and_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, 600, monkeypatch)  # 25 segments
    bench.run("whole")
    bench.computed()
    generator = random.Random(0)
    for kill in range(5):
        child = start_child(lambda: bench.run("killed"))
        deadline = time.monotonic() + 120
        while bench.num_computed() < 3 * (kill + 1):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        assert end_of(child) == -signal.SIGKILL
    bench.run("killed")
    assert bench.target("killed").read_bytes() == bench.target("whole").read_bytes()
    assert sum(bench.computed().values()) <= 25 + 5


def test_three_processes_at_one_video_compute_each_segment_once_and_a_kill_costs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, 300, monkeypatch)  # 13 segments
    bench.run("whole")
    bench.computed()
    generator = random.Random(1)
    for turn in range(2):
        features = f"race-{turn}"
        work = partial(extract, [bench.game], bench.settings, features=tmp_path / features, device="cpu")
        children = [start_child(work) for _ in range(3)]
        time.sleep(generator.uniform(0.1, 0.8))
        os.kill(children[turn], signal.SIGKILL)
        codes = [end_of(child) for child in children]
        assert set(codes) <= {0, -signal.SIGKILL}
        assert codes.count(0) >= 2
        (made,) = (tmp_path / features).rglob("*.h5")
        assert made.read_bytes() == bench.target("whole").read_bytes()
        assert not list((tmp_path / features).rglob("*.part"))
        assert sum(bench.computed().values()) <= 13 + 1


def test_a_stopped_extraction_ends_after_its_batch_and_continues_bit_by_bit(bench: Bench) -> None:
    bench.run("whole")
    bench.computed()
    calls = 0
    forward = bench.encoder.forward

    def stop_at_the_second(stacks: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        bench.stop.raised = calls == 2
        return forward(stacks)

    bench.encoder.forward = stop_at_the_second  # type: ignore[method-assign]
    with pytest.raises(StoppedError, match="same command continues"):
        bench.run("stopped")
    assert calls == 2
    bench.encoder.forward = forward  # type: ignore[method-assign]
    bench.stop.raised = False
    report = bench.run("stopped")
    assert report.computed_segments == 1
    assert bench.target("stopped").read_bytes() == bench.target("whole").read_bytes()


def test_sigterm_stops_an_extraction_with_75(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, 1500, monkeypatch)
    features = tmp_path / "features"
    child = start_child(partial(extract, [bench.game], bench.settings, features=features, device="cpu"))
    deadline = time.monotonic() + 120
    while not (tmp_path / "computed").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(child, signal.SIGTERM)
    assert end_of(child) == 75
    assert list(tmp_path.rglob("*.part"))


def test_a_full_disk_ends_with_74_and_keeps_what_is_finished(bench: Bench, tmp_path: Path) -> None:
    features, told = tmp_path / "features", tmp_path / "told"

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))
        try:
            extract([bench.game], bench.settings, features=features, device="cpu")
        except OutputError as error:
            told.write_text(str(error))
            raise

    assert in_child(work) == 74
    assert not list(features.rglob("*.h5"))
    assert "could not be written" in told.read_text()
    assert len(list(features.rglob("*.part"))) == 2  # each below the limit, both of them above it
    assert not list(features.rglob("*.tmp.*"))
    report = extract([bench.game], bench.settings, features=features, device="cpu")
    assert report.videos[0].computed_segments == 0


def full_disk(*arguments: Any, **options: Any) -> NoReturn:
    raise OutputError("the disk is full")


def flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def cut(content: bytes) -> bytes:
    return content[: len(content) - 7]


def emptied(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [flipped, cut, emptied])
def test_a_damaged_part_is_computed_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    bench.run("whole")
    bench.computed()
    with monkeypatch.context() as patch:
        patch.setattr("bas.extract.video.write_cache", full_disk)
        with pytest.raises(OutputError):
            bench.run("parts")
    parts = sorted(bench.folder.glob("parts/v.parts/*.part"))
    assert len(parts) == 2
    parts[1].write_bytes(damage(parts[1].read_bytes()))
    bench.computed()
    bench.run("parts")
    assert bench.computed() == Counter([1])
    assert bench.target("parts").read_bytes() == bench.target("whole").read_bytes()
