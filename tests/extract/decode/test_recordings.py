"""Files that record a match in pieces: every picture at its time, whatever the file says of clocks, lengths and streams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support import media

from bas.config.extract import ExtractSettings
from bas.dataset.video.probe import length_ms, probe
from bas.evaluate.video.reading import read_pictures
from bas.extract.bad_video import exceeds_loss, measure_quality
from bas.extract.decode.frames import DecodeStats, Frame
from bas.extract.decode.timeline import open_timeline
from bas.heads.inference.single_video import video_game

OPEN_GOP = {
    "libx264": {
        "preset": "medium",
        "x264-params": "open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=3:b-pyramid=normal:ref=4",
    },
    "libx265": {
        "x265-params": "log-level=none:pools=1:frame-threads=1:keyint=25:min-keyint=25:scenecut=0:open-gop=1:bframes=3"
    },
}


def frames_of(path: Path, rows: range | None = None) -> list[Frame]:
    timeline = open_timeline(path, ExtractSettings(hop=1, stack=(0, 0, 0)))
    rows = rows or range(len(timeline.rows))
    return list(timeline.read_frames(rows, decoder="cpu", device="cpu", stats=DecodeStats()))


def numbers(frames: list[Frame]) -> list[int | None]:
    """Number of the picture at each frame; None where it is missing or damaged."""
    return [media.number_of(np.asarray(frame.luma)) if frame.is_valid else None for frame in frames]


def joined(target: Path, *parts: Path) -> Path:
    target.write_bytes(b"".join(part.read_bytes() for part in parts))
    return target


def without_times(source: Path, target: Path, keep: Callable[[int], bool]) -> Path:
    """Clear the times of those packets of a transport stream's pictures that are not kept."""
    content, number = bytearray(source.read_bytes()), -1
    for start in range(0, len(content), 188):
        pid = int.from_bytes(content[start + 1 : start + 3]) & 0x1FFF
        if not (content[start + 1] & 0x40 and pid == 0x100):
            continue
        head = start + 4 + (1 + content[start + 4] if content[start + 3] & 0x20 else 0)
        number += 1
        if not keep(number):
            length = content[head + 8]
            content[head + 7] &= 0x3F
            content[head + 9 : head + 9 + length] = b"\xff" * length
    target.write_bytes(content)
    return target


def keyframe_bytes(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [
            packet.pos
            for packet in container.demux(video=0)
            if packet.is_keyframe and packet.size and packet.pos is not None
        ]


# ---- recordings joined one after the other ----


@pytest.mark.fault("V06")
@pytest.mark.parametrize("order", ["long first", "short first"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_recordings_whose_clock_starts_anew_lie_one_after_the_other(
    tmp_path: Path, codec: Any, order: str
) -> None:
    sizes = (80, 50) if order == "long first" else (50, 80)
    parts = [
        media.write_video(tmp_path / f"{i}.ts", size, first=100 * i, codec=codec)
        for i, size in enumerate(sizes)
    ]
    path = joined(tmp_path / "match.ts", *parts)
    expected = [*range(sizes[0]), *range(100, 100 + sizes[1])]
    shown = numbers(frames_of(path))
    assert len(shown) == 130
    # The packet at the seam is marked as damaged: nobody knows whether its recording was cut inside it.
    assert sum(number is None for number in shown) <= 3
    assert all(number in (None, right) for number, right in zip(shown, expected, strict=True))
    (note,) = [note for note in probe(path).notes if "recordings" in note]
    assert note.startswith("2 recordings")
    assert note.endswith("begin at 00:0" + str(sizes[0] // 25))
    assert probe(path).length_ms == length_ms(path) == 5200


def test_a_prediction_says_where_recordings_were_joined(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [media.write_video(tmp_path / f"{i}.ts", 50) for i in range(2)]
    video_game(joined(tmp_path / "match.ts", *parts))
    assert "further ones begin at 00:02" in " ".join("".join(capsys.readouterr()).split())


def test_a_joined_recording_reads_the_same_from_any_frame(tmp_path: Path) -> None:
    parts = [media.write_video(tmp_path / f"{i}.ts", 60, first=100 * i) for i in range(3)]
    path = joined(tmp_path / "match.ts", *parts)
    whole = [(frame.pts, frame.is_valid, np.asarray(frame.luma).tobytes()) for frame in frames_of(path)]
    for start in (30, 58, 61, 119, 150):
        part = frames_of(path, range(start, 180))
        assert [(f.pts, f.is_valid, np.asarray(f.luma).tobytes()) for f in part] == whole[start:]


def test_clips_of_a_joined_recording_show_its_pictures(tmp_path: Path) -> None:
    parts = [media.write_video(tmp_path / f"{i}.ts", 60, first=100 * i) for i in range(2)]
    times = probe(joined(tmp_path / "match.ts", *parts))
    pictures = read_pictures(times, start_pts=int(times.pts[70]), stop_pts=int(times.pts[75]))
    assert [
        media.number_of(np.asarray(picture.to_ndarray(), np.uint8)[: picture.height]) for picture in pictures
    ] == [*range(110, 115)]


def test_a_recording_that_begins_earlier_than_the_last_ended_is_laid_behind_it(tmp_path: Path) -> None:
    first = media.write_video(tmp_path / "first.ts", 100)
    second = media.write_video(tmp_path / "second.ts", 100, first=100, start_ms=1000)
    shown = numbers(frames_of(joined(tmp_path / "match.ts", first, second)))
    assert all(number in (None, frame) for frame, number in enumerate(shown))
    assert len(shown) == 200


def test_a_clock_that_starts_anew_far_below_is_not_taken_for_one_that_wrapped(tmp_path: Path) -> None:
    first = media.write_video(tmp_path / "first.ts", 60, start_ms=36_000_000)
    second = media.write_video(tmp_path / "second.ts", 60, first=60)
    shown = numbers(frames_of(joined(tmp_path / "match.ts", first, second)))
    assert len(shown) == 120
    assert all(number in (None, frame) for frame, number in enumerate(shown))


def test_one_wrong_time_shifts_no_picture(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.ts", 100, b_frames=0, keyframe_every=10)
    content, number = bytearray(path.read_bytes()), -1
    for start in range(0, len(content), 188):
        if content[start + 1] & 0x40 and int.from_bytes(content[start + 1 : start + 3]) & 0x1FFF == 0x100:
            number += 1
            if number == 55:
                head = start + 4 + (1 + content[start + 4] if content[start + 3] & 0x20 else 0)
                content[head + 11] ^= 0x40  # a high bit of the time
    path.write_bytes(content)
    shown = numbers(frames_of(path))
    assert len(shown) == 100
    assert all(number in (None, frame) for frame, number in enumerate(shown))
    assert sum(number is None for number in shown) <= 5


# ---- pictures without a time ----


@pytest.mark.parametrize("every", [2, 25])
def test_pictures_without_a_time_get_it_from_their_neighbors(tmp_path: Path, every: int) -> None:
    source = media.write_video(tmp_path / "full.ts", 150, b_frames=0)
    path = without_times(source, tmp_path / "v.ts", lambda number: number % every == 0)
    assert numbers(frames_of(path)) == [*range(150)]
    assert numbers(frames_of(path, range(70, 90))) == [*range(70, 90)]
    assert probe(path).notes == (f"pictures whose time follows from their neighbors: {150 - 150 // every}",)


def test_pictures_whose_time_nobody_knows_are_counted_as_lost(tmp_path: Path) -> None:
    source = media.write_video(tmp_path / "full.ts", 150, b_frames=2)
    path = without_times(source, tmp_path / "v.ts", lambda number: number % 2 == 0)
    timeline = open_timeline(path, ExtractSettings(hop=1, stack=(0, 0, 0)))
    shown = numbers(frames_of(path))
    assert all(number in (None, frame) for frame, number in enumerate(shown))
    flags = np.array([number is not None for number in shown])[:, None].repeat(3, axis=1)
    quality = measure_quality(timeline, flags)
    assert quality.missing >= 70
    assert quality.is_insufficient


def test_packets_between_the_pictures_are_second_fields_and_no_loss(tmp_path: Path) -> None:
    # Times on every second packet, at the declared rate of pictures: as in interlaced broadcasts.
    source = media.write_video(tmp_path / "full.ts", 100, b_frames=0)
    from bas.dataset.video.laying import NO_TIME, lay_out

    times = probe(source)
    pts = np.full(200, NO_TIME)
    pts[::2] = times.pts
    laid = lay_out(
        pts, np.ones(200, bool), unit=times.time_base, fps=times.fps, reordered=False, clockless=True
    )
    assert (laid.undated, laid.derived) == (0, 0)
    assert np.array_equal(laid.pts, pts)


# ---- pictures that move to another stream ----


def test_pictures_that_move_to_another_pid_are_one_track(tmp_path: Path) -> None:
    first = media.write_video(tmp_path / "first.ts", 60, b_frames=0)
    moved = {"mpegts_start_pid": "336", "tables_version": "2"}
    second = media.write_video(tmp_path / "second.ts", 60, first=60, start_ms=2400, b_frames=0, muxer=moved)
    shown = numbers(frames_of(joined(tmp_path / "match.ts", first, second)))
    assert len(shown) == 120
    assert all(number in (None, frame) for frame, number in enumerate(shown))
    assert sum(number is None for number in shown) <= 1


def test_pictures_that_go_on_in_another_program_are_refused_by_name(tmp_path: Path) -> None:
    first = media.write_video(tmp_path / "first.ts", 250, b_frames=0)
    moved = {"mpegts_start_pid": "336", "mpegts_service_id": "2", "mpegts_pmt_start_pid": "4352"}
    second = media.write_video(
        tmp_path / "second.ts", 250, first=250, start_ms=10_000, b_frames=0, muxer=moved
    )
    (problem,) = probe(joined(tmp_path / "match.ts", first, second)).problems
    assert problem.kind == "elsewhere"
    assert problem.text.startswith("the pictures of stream 0 end at 00:10, but ")


# ---- recordings that begin anywhere ----


@pytest.mark.fault("V06", "V10")
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("at", ["a keyframe", "anywhere"])
def test_a_recording_cut_anywhere_starts_with_the_first_picture_that_is_shown(
    tmp_path: Path, codec: Any, at: str
) -> None:
    source = media.write_video(tmp_path / "whole.ts", 200, codec=codec, options=OPEN_GOP[codec])
    content, keyframes = source.read_bytes(), keyframe_bytes(source)
    tables = content[: 3 * 188]
    start = keyframes[2] if at == "a keyframe" else keyframes[1] + 5 * 188
    path = tmp_path / "cut.ts"
    path.write_bytes((tables if at == "a keyframe" else b"") + content[start:])
    shown = frames_of(path)
    assert numbers(shown) == [*range(50, 200)]
    whole = frames_of(source)[50:]
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(shown, whole, strict=True))
    assert open_timeline(path, ExtractSettings()).problem == ""
    assert probe(path).problems == ()


def test_a_line_of_ffmpegs_log_is_not_damage_where_the_picture_is_right(tmp_path: Path) -> None:
    source = media.write_video(tmp_path / "whole.ts", 100, options=OPEN_GOP["libx264"])
    path = tmp_path / "cut.ts"
    path.write_bytes(source.read_bytes()[:564] + source.read_bytes()[keyframe_bytes(source)[1] :])
    with av.logging.Capture() as lines, av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        assert len(list(container.decode(video=0))) == 75
    assert any("mmco: unref short failure" in line[2] for line in lines)
    assert numbers(frames_of(path)) == [*range(25, 100)]


# ---- ends of files ----


def test_zeros_behind_a_transport_stream_hide_no_picture(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.ts", 100)
    path.write_bytes(path.read_bytes() + bytes(1 << 20))
    assert numbers(frames_of(path)) == [*range(100)]
    assert probe(path).problems == ()
    assert probe(path).notes == ("the last 1,048,576 bytes are zeros, behind the last picture",)


def test_pictures_behind_zeros_in_a_transport_stream_are_read(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.ts", 200)
    content = path.read_bytes()
    middle = len(content) // 2 // 188 * 188
    path.write_bytes(content[:middle] + bytes(1 << 20) + content[middle:])
    assert probe(path).problems == ()
    shown = numbers(frames_of(path))
    # The picture around the zeros is lost, and those that refer to it, up to the next keyframe.
    assert all(number in (None, frame) for frame, number in enumerate(shown))
    assert len(shown) == 200
    assert sum(number is None for number in shown) <= 12


@pytest.mark.fault("V02")
@pytest.mark.parametrize("name", ["v.ts", "v.mkv", "v.mp4"])
def test_a_tail_of_zeros_is_a_cut(tmp_path: Path, name: str) -> None:
    path = media.write_video(tmp_path / name, 300, container="faststart" if name == "v.mp4" else None)
    content = path.read_bytes()
    kept = len(content) * 3 // 5 // 188 * 188 + 90
    path.write_bytes(content[:kept] + bytes(len(content) - kept))
    (problem,) = [problem for problem in probe(path).problems if problem.kind == "truncated"]
    assert f"the last {len(content) - kept:,} of {len(content):,} bytes are zeros" in problem.text


def test_sound_that_is_longer_than_the_pictures_cuts_nothing(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mkv", 100, audio=True, audio_seconds=8)
    content = path.read_bytes()
    assert b"DURATION" in content
    path.write_bytes(content.replace(b"DURATION", b"XURATION"))  # as writers leave it that know no such tag
    assert probe(path).problems == ()


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv"])
def test_a_last_picture_that_stays_on_screen_cuts_nothing(tmp_path: Path, name: str) -> None:
    source = media.write_video(tmp_path / f"whole_{name}", 100, b_frames=0)
    path = tmp_path / name
    with av.open(str(source)) as whole, av.open(str(path), "w") as held:
        stream = held.add_stream_from_template(whole.streams.video[0])
        packets = [packet for packet in whole.demux(video=0) if packet.size]
        packets[-1].duration = round(3 / packets[-1].time_base)
        for packet in packets:
            packet.stream = stream
            held.mux(packet)
    assert probe(path).duration == pytest.approx(7, abs=0.1)
    assert probe(path).problems == ()


@pytest.mark.fault("V02")
def test_matroska_whose_end_is_garbage_is_cut(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "v.mkv", 300)
    content = path.read_bytes()
    kept = len(content) * 3 // 5
    path.write_bytes(content[:kept] + b"\x55" * (len(content) - kept))
    assert "truncated" in {problem.kind for problem in probe(path).problems}


@pytest.mark.parametrize(
    "tail", [b"#Message by an app, 2026", b"\x00\x00\x10\x00SEFT" + b"x" * 40, b"\xff" * 100]
)
def test_bytes_behind_the_last_box_of_an_mp4_declare_nothing(tmp_path: Path, tail: bytes) -> None:
    path = media.write_video(tmp_path / "v.mp4", 100)
    path.write_bytes(path.read_bytes() + tail)
    assert probe(path).problems == ()


def test_pictures_hidden_by_an_edit_list_are_among_those_declared(tmp_path: Path) -> None:
    path = media.write_video(
        tmp_path / "v.mp4", 100, start_ms=-560
    )  # a whole GOP, and two pictures of the next
    assert len(probe(path).pts) == 86
    assert probe(path).notes == ()


def test_one_lost_picture_refuses_no_clip() -> None:
    assert not exceeds_loss(1, of=278)
    assert exceeds_loss(30, of=278)
    assert not exceeds_loss(30, of=33_750)
    assert exceeds_loss(40, of=33_750)
