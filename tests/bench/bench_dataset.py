"""Probing of a 95-minute match: every packet is read, none decoded."""

from __future__ import annotations

import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from support import media

from bas.console import show, table
from bas.dataset import length_ms, probe

_MINUTES = 95
_CLIP = 1500  # pictures, one minute


def main() -> None:
    """Print the time and picture rate of `probe`, and the time of `length_ms`, by container."""
    rows = table(
        "Probe of a 95-minute match", "file", "MB", "pictures", "probe (s)", "pictures/s", "length_ms (ms)"
    )
    with tempfile.TemporaryDirectory() as folder:
        clip = media.write_video(Path(folder) / "clip.mp4", _CLIP, size=(398, 224), keyframe_every=50)
        for name in ("match.mkv", "match.mp4", "match.ts"):
            path = _repeat(clip, Path(folder) / name, times=_MINUTES)
            started = time.perf_counter()
            video = probe(path)
            probed = time.perf_counter() - started
            started = time.perf_counter()
            quick = length_ms(path)
            measured = time.perf_counter() - started
            expected_pts = np.arange(_MINUTES * _CLIP) * int(Fraction(1, 25) / video.time_base)
            assert np.array_equal(video.pts - video.start_pts, expected_pts)
            assert quick == video.length_ms == _MINUTES * 60_000
            assert not video.problems
            size = f"{path.stat().st_size / 1e6:.0f}"
            pictures = len(video.pts)
            cells = (f"{pictures:,}", f"{probed:.2f}", f"{pictures / probed:,.0f}", f"{measured * 1000:.1f}")
            rows.add_row(name, size, *cells)
            path.unlink()
    show(rows)


def _repeat(clip: Path, target: Path, *, times: int) -> Path:
    """Concatenate `times` copies of a clip without re-encoding."""
    with av.open(str(target), "w") as output:
        stream = None
        for round_number in range(times):
            with av.open(str(clip)) as source_file:
                source = source_file.streams.video[0]
                stream = stream or output.add_stream_from_template(source)
                assert source.time_base is not None
                shift = int(round_number * Fraction(_CLIP, 25) / source.time_base)
                for packet in source_file.demux(source):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    output.mux(packet)
    return target


if __name__ == "__main__":
    main()
