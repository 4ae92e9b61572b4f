"""Damaged videos: no picture at a wrong time, damage is flagged, undamaged pictures are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import media

from bas.clock import place_on_clock
from bas.dataset.video.probe import VideoTimes, probe
from bas.extract.decode import cpu, seek
from bas.extract.decode.frames import DecodeStats, Frame, read_frames
from bas.extract.decode.pictures import CorruptionTracker


def read(path: Path, *, origin: int | None = None, stats: DecodeStats | None = None) -> list[Frame]:
    times = probe(path)
    clock_frames = place_on_clock(
        times.pts, times.time_base, origin=times.start_pts if origin is None else origin, rate=Fraction(25)
    )
    stats = DecodeStats() if stats is None else stats
    return list(
        read_frames(
            times, clock_frames, start=0, stop=len(clock_frames), decoder="cpu", device="cpu", stats=stats
        )
    )


def shown(frames: list[Frame]) -> dict[int, int | None]:
    """Frame and number of the pictures that are flagged as valid."""
    return {frame.number: media.number_of(np.asarray(frame.luma)) for frame in frames if frame.is_valid}


def marked_by_ffmpeg(path: Path) -> int:
    """Pictures that PyAV marks as corrupt, decoding packet by packet in one thread."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        count = 0
        for packet in container.demux(stream):
            try:
                count += sum(frame.is_corrupt for frame in packet.decode())
            except av.error.InvalidDataError:
                count += 1
        return count


@pytest.mark.fault("V04", "P04")
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", ["v.mkv", "v.mp4"])
def test_flipped_bytes_put_no_picture_at_a_wrong_frame(tmp_path: Path, name: str, seed: int) -> None:
    path = media.write_video(tmp_path / name, 150, container="faststart" if name == "v.mp4" else None)
    whole = {frame.number: np.asarray(frame.luma) for frame in read(path)}
    media.flip_bytes(path, 15, seed=seed)
    stats = DecodeStats()
    frames = read(path, stats=stats)
    valid = {frame.number: np.asarray(frame.luma) for frame in frames if frame.is_valid}
    good = {number for number, luma in valid.items() if np.array_equal(luma, whole[number])}
    wrong = set(valid) - good
    assert [frame.number for frame in frames] == list(range(len(frames)))
    seen = {number: media.number_of(luma) for number, luma in valid.items()}
    others = {number: other for number, other in seen.items() if other not in (number, None)}
    assert len(others) <= 2, "damage can repeat the previous picture, but very rarely does"
    assert all(other is not None and other < number for number, other in others.items())
    assert stats.missing_or_damaged >= marked_by_ffmpeg(path) > 0
    assert len(wrong) <= 0.5 * (stats.missing_or_damaged + len(wrong)), "most wrong pictures are flagged"
    assert len(good) >= 0.7 * len(undamaged_frames(path, whole))


def undamaged_frames(path: Path, whole: dict[int, np.ndarray]) -> set[int]:
    """Frames whose picture PyAV decodes as before the damage, marked as corrupt or not."""
    times = probe(path)
    by_pts = {int(pts): number for number, pts in enumerate(times.pts)}
    good = set()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                number = by_pts.get(frame.pts or 0)
                plane = frame.planes[0]
                luma = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
                if number in whole and np.array_equal(luma, whole[number]):
                    good.add(number)
    return good


@pytest.mark.fault("V05", "P04")
def test_lost_packets_leave_a_hole_and_shift_no_picture(tmp_path: Path) -> None:
    whole = media.write_video(tmp_path / "whole.mkv", 150)
    path = media.drop_packets(whole, tmp_path / "v.mkv", keep=lambda number: not 60 <= number < 68)
    stats = DecodeStats()
    frames = read(path, stats=stats)
    assert len(frames) == 150
    assert all(number in (frame, None) for frame, number in shown(frames).items())
    assert stats.missing_or_damaged >= 8
    hole = [frame for frame in frames if not frame.is_valid]
    assert {media.number_of(np.asarray(frame.luma)) for frame in hole} == {hole[0].number - 1}
    assert set(range(60)) | set(range(72, 150)) <= set(shown(frames))


@pytest.mark.fault("V06", "P06")
def test_a_video_without_its_first_packets_starts_at_the_first_decodable_keyframe(tmp_path: Path) -> None:
    whole = media.write_video(tmp_path / "whole.mkv", 80, keyframe_every=20)
    path = media.drop_packets(whole, tmp_path / "v.mkv", keep=lambda number: number >= 30)
    frames = read(path, origin=0)
    assert shown(frames) == {number: number for number in range(40, 80)}
    assert {media.number_of(np.asarray(frame.luma)) for frame in frames[:40]} == {40}


@pytest.mark.fault("V04")
def test_warnings_of_the_decoder_are_counted(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100)
    media.flip_bytes(path, 15, seed=1)
    stats = DecodeStats()
    read(path, stats=stats)
    assert stats.ffmpeg_warnings > 0
    assert stats.damaged > 0
    assert stats.pictures <= 100


@pytest.mark.fault("V04")
def test_warnings_about_the_very_last_packet_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media.write_video(tmp_path / "v.mkv", 40, b_frames=0)
    with av.open(str(path)) as container:
        *_, last = (bytes(packet) for packet in container.demux(video=0) if packet.size)
    content, kept = path.read_bytes(), len(last) // 2
    path.write_bytes(content.replace(last, last[:kept] + bytes(len(last) - kept)))

    @contextmanager
    def open_without_flush(times: VideoTimes, keyframe: int | None) -> Iterator[tuple[Any, Iterator[Any]]]:
        with seek.open_at(times, keyframe) as (stream, packets):
            yield stream, (packet for packet in packets if packet.size)

    monkeypatch.setattr(cpu, "open_at", open_without_flush)
    stats = DecodeStats()
    read(path, stats=stats)
    assert stats.ffmpeg_warnings > 0


@given(packets=st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_damage_lasts_from_a_broken_packet_to_the_next_keyframe(packets: list[tuple[bool, bool]]) -> None:
    tracker = CorruptionTracker()
    expected, broken_now = set(), False
    for pts, (keyframe, broken) in enumerate(packets):
        tracker.update(pts, keyframe=keyframe, broken=broken)
        broken_now = broken or (broken_now and not keyframe)
        if broken_now:
            expected.add(pts)
    assert {pts for pts in range(len(packets)) if pts in tracker} == expected


def test_pictures_shown_before_a_keyframe_share_only_the_damage_before_it() -> None:
    tracker = CorruptionTracker()
    tracker.update(0, keyframe=True, broken=True)
    tracker.update(40, keyframe=True, broken=False)
    tracker.update(20, keyframe=False, broken=False)  # follows the keyframe, is shown before it
    tracker.update(60, keyframe=False, broken=False)
    assert [pts for pts in (0, 20, 40, 60) if pts in tracker] == [0, 20]


def test_a_broken_picture_shown_before_a_keyframe_damages_only_itself() -> None:
    tracker = CorruptionTracker()
    tracker.update(40, keyframe=True, broken=False)
    tracker.update(20, keyframe=False, broken=True)
    tracker.update(60, keyframe=False, broken=False)
    assert [pts for pts in (20, 40, 60) if pts in tracker] == [20]
