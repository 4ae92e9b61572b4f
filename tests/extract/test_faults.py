"""Kills, full disks and races: a cache file is complete or absent, and finished segments are kept."""

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
from support.extracting import make_game, tiny_encoder, tiny_settings
from support.killing import end_of, in_child, start_child

from bas.errors import OutputError, StoppedError
from bas.extract import segments as segments_module
from bas.extract.cache.fingerprint import fingerprint_of
from bas.extract.encode.encoder import FrozenEncoder
from bas.extract.encode.weights import weights_digest
from bas.extract.extract import cached_features, extract, open_caches
from bas.extract.segments import VideoTask
from bas.extract.video import VideoReport, extract_video
from bas.signals import StopFlag

FAILING = ("mkdir", "open", "posix_fallocate", "pwrite", "fsync", "replace")
OPERATIONS = (*FAILING, "unlink", "rmdir")


class Extraction:
    """One video, its encoder, and a log of the computed segments."""

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

        def logged(work: Any, segment: int, *arguments: Any, **options: Any) -> Any:
            write(self._log, f"{segment}\n".encode())
            return publish(work, segment, *arguments, **options)

        monkeypatch.setattr(segments_module, "_publish", logged)

    def run(self, features: str) -> VideoReport:
        return extract_video(
            VideoTask(
                game=self.game.id,
                video=self.game.videos[0].path,
                target=self.target(features),
                settings=self.settings,
                fingerprint=self.fingerprint,
                encoder_for=lambda precision: self.encoder,
                row_shape=(64, 2, 2),
                decoder="cpu",
                stop=self.stop,
            )
        )

    def target(self, features: str) -> Path:
        return self.folder / features / "v.h5"

    def num_computed(self) -> int:
        """Number of segments computed since the last call of `computed`."""
        return (self.folder / "computed").read_text().count("\n")

    def computed(self) -> Counter[int]:
        """Number of times that each segment was computed since the last call."""
        text = (self.folder / "computed").read_text()
        os.truncate(self.folder / "computed", 0)
        return Counter(int(line) for line in text.split())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: threads do not survive a fork, and their number may change the last bit of a sum."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def extraction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Extraction:
    return Extraction(tmp_path, 38, monkeypatch)  # 19 rows: a segment of 12 and one of 7


class Fault:
    """Make the n-th file operation fail, or kill the process there."""

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
                    short_write(real, *arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            if self.left == 0 and name in FAILING:
                code = errno.ENOSPC if self.number % 2 else errno.EIO
                raise OSError(code, os.strerror(code))
            return real(*arguments, **options)

        return operation


def short_write(real: Callable[..., int], descriptor: int, content: memoryview, offset: int) -> int:
    """Write only half, as a disk does that is filling up."""
    return real(descriptor, content[: (len(content) + 1) // 2], offset)


NO_SUCH_OPERATION = 99


def run_with(fault: Fault, extraction: Extraction, features: str) -> int:
    def work() -> None:
        fault.install()
        extraction.run(features)
        if fault.left > 0:
            os._exit(NO_SUCH_OPERATION)

    return in_child(work)


@pytest.mark.fault("C01", "C02", "P08", "P10")
@pytest.mark.parametrize("kind", ["kill", "fail"])
def test_a_kill_or_failure_at_any_file_operation_is_recovered(
    extraction: Extraction, kind: Literal["kill", "fail"]
) -> None:
    extraction.run("whole")
    whole = extraction.target("whole").read_bytes()
    extraction.computed()
    for number in itertools.count(1):
        features = f"{kind}-{number}"
        target = extraction.target(features)
        code = run_with(Fault(number, kind), extraction, features)
        if code == NO_SUCH_OPERATION:
            break
        # 66 if a cache or a part could not be read.
        assert code in ({-signal.SIGKILL} if kind == "kill" else {0, 66, 74}), (number, code)
        assert not target.exists() or target.read_bytes() == whole, number
        if code == 74:
            assert not list(target.parent.rglob("*.tmp.*")), number
        extraction.run(features)
        assert target.read_bytes() == whole, number
        assert {path.name for path in target.parent.iterdir()} == {"v.h5", "v.lock"}, number
        assert sum(extraction.computed().values()) <= 3, number  # two segments, and one of them twice
    assert number > 30


@pytest.mark.fault("C02")
def test_short_writes_are_continued(extraction: Extraction, monkeypatch: pytest.MonkeyPatch) -> None:
    extraction.run("whole")
    monkeypatch.setattr(os, "pwrite", partial(short_write, os.pwrite))
    extraction.run("short")
    assert extraction.target("short").read_bytes() == extraction.target("whole").read_bytes()


@pytest.mark.fault("C01", "P08")
def test_a_kill_at_a_random_moment_costs_at_most_one_segment_and_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction = Extraction(tmp_path, 600, monkeypatch)  # 25 segments
    extraction.run("whole")
    extraction.computed()
    generator = random.Random(0)
    for kill in range(5):
        child = start_child(lambda: extraction.run("killed"))
        deadline = time.monotonic() + 120
        while extraction.num_computed() < 3 * (kill + 1):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        assert end_of(child) == -signal.SIGKILL
    extraction.run("killed")
    assert extraction.target("killed").read_bytes() == extraction.target("whole").read_bytes()
    assert sum(extraction.computed().values()) <= 25 + 5


@pytest.mark.fault("C04", "P13")
def test_three_processes_on_one_video_compute_each_segment_once_and_a_kill_costs_at_most_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction = Extraction(tmp_path, 300, monkeypatch)  # 13 segments
    extraction.run("whole")
    extraction.computed()
    generator = random.Random(1)
    for turn in range(2):
        features = f"race-{turn}"
        work = partial(
            extract, [extraction.game], extraction.settings, features=tmp_path / features, device="cpu"
        )
        children = [start_child(work) for _ in range(3)]
        time.sleep(generator.uniform(0.1, 0.8))
        os.kill(children[turn], signal.SIGKILL)
        codes = [end_of(child) for child in children]
        assert set(codes) <= {0, -signal.SIGKILL}
        assert codes.count(0) >= 2
        (cache,) = (tmp_path / features).rglob("*.h5")
        assert cache.read_bytes() == extraction.target("whole").read_bytes()
        assert not list((tmp_path / features).rglob("*.part"))
        assert sum(extraction.computed().values()) <= 13 + 1


@pytest.mark.fault("V16", "C10", "P07")
def test_a_stopped_extraction_ends_after_its_batch_and_resumes_bit_for_bit(extraction: Extraction) -> None:
    extraction.run("whole")
    extraction.computed()
    calls = 0
    forward = extraction.encoder.forward

    def stop_at_the_second(stacks: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        extraction.stop.raised = calls == 2
        return forward(stacks)

    extraction.encoder.forward = stop_at_the_second  # type: ignore[method-assign]
    with pytest.raises(StoppedError, match="Run the same command again to continue"):
        extraction.run("stopped")
    assert calls == 2
    extraction.encoder.forward = forward  # type: ignore[method-assign]
    extraction.stop.raised = False
    report = extraction.run("stopped")
    assert report.computed_segments == 1
    assert extraction.target("stopped").read_bytes() == extraction.target("whole").read_bytes()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 75, marks=pytest.mark.fault("T09")),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.fault("V16", "P07")),
    ],
)
def test_a_signal_stops_an_extraction_and_keeps_its_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    extraction = Extraction(tmp_path, 1500, monkeypatch)
    features = tmp_path / "features"
    forward = FrozenEncoder.forward

    def slow(encoder: FrozenEncoder, stacks: torch.Tensor) -> torch.Tensor:
        time.sleep(0.2)  # 63 calls, so that the signal always comes before the end
        return forward(encoder, stacks)

    monkeypatch.setattr(FrozenEncoder, "forward", slow)
    child = start_child(
        partial(extract, [extraction.game], extraction.settings, features=features, device="cpu")
    )
    deadline = time.monotonic() + 120
    while not list(features.rglob("*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(child, number)
    assert end_of(child) == code
    assert list(tmp_path.rglob("*.part"))


@pytest.mark.fault("C02", "P10")
def test_a_full_disk_exits_with_74_and_keeps_finished_segments(
    extraction: Extraction, tmp_path: Path
) -> None:
    features, message = tmp_path / "features", tmp_path / "message"

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))
        try:
            extract([extraction.game], extraction.settings, features=features, device="cpu")
        except OutputError as error:
            message.write_text(str(error))
            raise

    assert in_child(work) == 74
    assert not list(features.rglob("*.h5"))
    assert "Cannot write" in message.read_text()
    assert len(list(features.rglob("*.part"))) == 2  # each below the limit, both of them above it
    assert not list(features.rglob("*.tmp.*"))
    report = extract([extraction.game], extraction.settings, features=features, device="cpu")
    assert report.videos[0].computed_segments == 0


@pytest.mark.fault("P09")
def test_after_a_kill_training_gets_the_rows_of_an_uninterrupted_extraction(
    extraction: Extraction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction.run("whole")
    games, settings, features = [extraction.game], extraction.settings, tmp_path / "features"

    def killed() -> None:
        monkeypatch.setattr(
            "bas.extract.video.write_cache", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        )
        extract(games, settings, features=features, device="cpu")

    assert in_child(killed) == -signal.SIGKILL
    assert list(features.rglob("*.part"))
    assert open_caches(games, settings, features=features) == {}
    (cache,) = cached_features(games, settings, features=features, device="cpu").values()
    assert cache.path.read_bytes() == extraction.target("whole").read_bytes()


def full_disk(*arguments: Any, **options: Any) -> NoReturn:
    raise OutputError("the disk is full")


def flipped(content: bytes) -> bytes:
    position = len(content) // 2
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


def cut(content: bytes) -> bytes:
    return content[: len(content) - 7]


def emptied(content: bytes) -> bytes:
    return b""


@pytest.mark.fault("C03", "P11")
@pytest.mark.parametrize("damage", [flipped, cut, emptied])
def test_a_damaged_part_is_computed_again(
    extraction: Extraction, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    extraction.run("whole")
    extraction.computed()
    with monkeypatch.context() as patch:
        patch.setattr("bas.extract.video.write_cache", full_disk)
        with pytest.raises(OutputError):
            extraction.run("parts")
    parts = sorted(extraction.folder.glob("parts/v.parts/*.part"))
    assert len(parts) == 2
    parts[1].write_bytes(damage(parts[1].read_bytes()))
    extraction.computed()
    extraction.run("parts")
    assert extraction.computed() == Counter([1])
    assert extraction.target("parts").read_bytes() == extraction.target("whole").read_bytes()
