"""Feature extraction: speed relative to the encoder alone, peak memory, cache reads, and recovery after kills."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from rich.table import Table
from support.caches import cache_attributes
from support.killing import end_of, start_child

from bas import console
from bas.config.extract import ExtractSettings
from bas.dataset import open_dataset
from bas.extract import segments
from bas.extract.cache.fingerprint import fingerprint_of
from bas.extract.cache.parts import hash_rows
from bas.extract.cache.reader import open_cache
from bas.extract.cache.writer import write_cache
from bas.extract.decode.frames import DecodeStats
from bas.extract.decode.timeline import open_timeline
from bas.extract.encode.device import best_precision
from bas.extract.encode.encoder import FrozenEncoder, rows_per_call
from bas.extract.encode.stacks import canvas_of, stack_batches
from bas.extract.encode.weights import build_encoder, weights_digest
from bas.extract.segments import VideoTask
from bas.extract.video import extract_video
from bas.signals import StopFlag
from bas.synthetic import synthesize
from bas.types import Game, Video

_SMALL = ExtractSettings(weights="random", video="224p", height=224, width=398, grid=(3, 5))
_LARGE = ExtractSettings(weights="random")
_TINY = ExtractSettings(
    encoder="test_efficientnet", weights="random", video="224p", height=224, width=398, grid=(3, 5)
)
_SECONDS = {"224p": 20, "720p": 6}
_ROUNDS = {"224p": 20, "720p": 5}
_KILLS = 10
_MINUTES = (5, 45)
_CACHED_ROWS = 100_000
_WINDOWS = 5_000
_EXTRACT_SCRIPT = """
import sys
from pathlib import Path
from bas.config.extract import ExtractSettings
from bas.extract.extract import extract
from bas.types import Game, Video
settings, half, folder = ExtractSettings.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
game = Game(half.parent.name, (Video(half, 1),), None)
extract([game], settings, features=folder, device="cpu", training=[game])
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


def main() -> None:
    """Assert correctness, then print the measurements."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        console.show(_rates(folder / "rates"))
        console.show(_windows(folder / "windows"))
        console.show(_memory(folder / "memory"))
        console.show(_kills(folder / "kills"))


def _rates(folder: Path) -> Table:
    rows = console.table(
        "Extraction compared with the encoder alone, same stacks, CPU, medians of alternating rounds",
        *("picture size", "precision", "encoder rows/s", "extraction rows/s", "ratio"),
    )
    for settings in (_SMALL, _LARGE):
        game = _match(folder, settings)
        task, encoder = _task(game, settings, folder)
        alone = partial(_encode, task, encoder)
        seconds = [
            (_seconds(alone), _seconds(partial(_extract_anew, task))) for _ in range(_ROUNDS[settings.video])
        ]
        num_rows = len(open_timeline(task.video, settings).rows)
        ratio = np.median(
            [theirs / ours for theirs, ours in seconds]
        )  # ratio within each pair of rounds, because the machine's speed drifts
        theirs, ours = (num_rows / median for median in np.median(seconds, axis=0))
        size = f"{settings.width} x {settings.height}"
        rows.add_row(size, encoder.precision, f"{theirs:.1f}", f"{ours:.1f}", f"{ratio:.3f}")
    return rows


def _match(folder: Path, settings: ExtractSettings) -> Game:
    minutes = _SECONDS[settings.video] / 60
    synthesize(folder / settings.video, matches=1, minutes=minutes, size=settings.video)
    return open_dataset(folder / settings.video, video=settings.video).games[0]


def _task(game: Game, settings: ExtractSettings, folder: Path) -> tuple[VideoTask, FrozenEncoder]:
    weights = build_encoder(settings, features=folder, training=[game])
    encoder = FrozenEncoder(
        weights,
        size=canvas_of(settings).padded,
        grid=settings.grid,
        precision=best_precision("auto", "cpu"),
        device="cpu",
    )
    task = VideoTask(
        game=game.id,
        video=game.videos[0].path,
        target=folder / "cache" / "v.h5",
        settings=settings,
        fingerprint=fingerprint_of(settings, weights=weights_digest(weights)),
        encoder_for=lambda precision: encoder,
        row_shape=(encoder.width, *settings.grid),
        decoder="cpu",
        stop=StopFlag(),
    )
    return task, encoder


def _extract_anew(task: VideoTask) -> None:
    shutil.rmtree(task.target.parent, ignore_errors=True)
    assert extract_video(task).outcome == "extracted"


def _encode(task: VideoTask, encoder: FrozenEncoder) -> None:
    """Encode as many stacks as the video has rows, using one full batch of real stacks again and again."""
    timeline, canvas = open_timeline(task.video, task.settings), canvas_of(task.settings)
    step = rows_per_call(task.settings.batch, size=canvas.padded, device="cpu")
    buffer = canvas.empty(step, device="cpu", dtype=encoder.dtype)
    frames = timeline.read_frames(range(step), decoder="cpu", device="cpu", stats=DecodeStats())
    (batch,) = stack_batches(frames, [range(step)], rows=timeline.rows, canvas=canvas, buffer=buffer)
    for start in range(0, len(timeline.rows), step):
        encoder(batch.stacks[: min(step, len(timeline.rows) - start)])


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _windows(folder: Path) -> Table:
    """Measure reads of five rows, six frames apart, out of 100,000, like training on random windows."""
    rows = np.random.default_rng(0).normal(size=(1000, 192, 3, 5)).astype("<f2")
    hashes = [hash_rows(rows)] * (_CACHED_ROWS // len(rows))
    path = folder / "v.h5"
    write_cache(
        path,
        cache_attributes(num_frames=2 * _CACHED_ROWS, segment_rows=len(rows)),
        row_shape=rows.shape[1:],
        pts=np.arange(2 * _CACHED_ROWS),
        valid=np.ones(_CACHED_ROWS, bool),
        segment_sha256=tuple(hashes),
        segments=iter([rows] * len(hashes)),
    )
    features = open_cache(path).features
    starts = np.random.default_rng(1).integers(0, _CACHED_ROWS - 13, _WINDOWS).tolist()
    assert all(np.array_equal(features[s], rows[s % 1000]) for s in starts[:100])

    def read() -> None:
        for start in starts:
            np.array(features[start : start + 13 : 3])

    table = console.table(
        "Window of 5 strided rows from a cache of 100,000 rows of 192 x 3 x 5", "read", "ms"
    )
    first, again = (1000 * _seconds(read) / _WINDOWS for _ in range(2))
    table.add_row("first", f"{first:.4f}")
    table.add_row("second", f"{again:.4f}")
    path.unlink()
    return table


def _kills(folder: Path) -> Table:
    """Kill an extraction at a random moment and let another finish it, several times."""
    settings = _TINY.model_copy(update={"segment_seconds": 2})
    game = _match(folder, settings)
    task, _ = _task(game, settings, folder)
    torch.set_num_threads(1)  # a forked child does not inherit its parent's threads
    log = folder / "computed"
    _log_segments(log)
    _extract_anew(task)
    expected_bytes, num_segments = task.target.read_bytes(), len(log.read_text())
    seconds = _seconds(partial(_extract_anew, task))
    generator, kills, most_repeated = random.Random(0), 0, 0
    while kills < _KILLS:
        log.write_text("")
        child_pid = start_child(partial(_extract_anew, task))
        time.sleep(generator.uniform(0.1, 0.9) * seconds)
        os.kill(child_pid, signal.SIGKILL)
        kills += end_of(child_pid) == -signal.SIGKILL
        extract_video(task)
        assert task.target.read_bytes() == expected_bytes
        most_repeated = max(most_repeated, len(log.read_text()) - num_segments)
    table = console.table(
        f"Extraction of {num_segments} segments, killed by kill -9 at random moments and resumed",
        *("kills", "same bytes", "segments computed twice (maximum)"),
    )
    table.add_row(str(kills), "yes", str(most_repeated))
    return table


def _log_segments(log: Path) -> None:
    """Append one byte to `log` for every computed segment, in any process."""
    publish = segments._publish

    def logged(*arguments: Any, **options: Any) -> Any:
        with log.open("a") as stream:
            stream.write(".")
        return publish(*arguments, **options)

    segments._publish = logged


def _memory(folder: Path) -> Table:
    """Measure the peak memory of a process that extracts a 224p half to a 3 x 5 grid, by its length."""
    table = console.table("Peak memory of extraction, 224p to a 3 x 5 grid", "encoder", "minutes", "MiB")
    clip = _match(folder, _SMALL).videos[0].path
    for settings, minutes in ((_SMALL, 1), *((_TINY, minutes) for minutes in _MINUTES)):
        half = _repeated(clip, folder / f"{minutes}" / "1_224p.mkv", minutes=minutes)
        game = Game(f"{minutes}", (Video(half, 1),), None)
        build_encoder(settings, features=folder, training=[game])
        arguments = (settings.model_dump_json(), str(half), str(folder))
        command = [sys.executable, "-c", _EXTRACT_SCRIPT, *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        kibibytes = int(done.stdout.splitlines()[-1])
        table.add_row(settings.encoder, str(minutes), f"{kibibytes / 1024:.0f}")
    return table


def _repeated(clip: Path, path: Path, *, minutes: int) -> Path:
    """Repeat a clip up to `minutes`, without re-encoding."""
    path.parent.mkdir()
    with av.open(str(path), "w") as output:
        stream: Any = None
        turns = math.ceil(60 * minutes / _SECONDS["224p"])
        for turn in range(turns):
            with av.open(str(clip)) as source:
                stream = stream or output.add_stream_from_template(source.streams.video[0])
                base = source.streams.video[0].time_base
                assert base is not None
                shift = round(turn * _SECONDS["224p"] / base)
                for packet in source.demux(video=0):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        output.mux(packet)
    return path


if __name__ == "__main__":
    main()
