from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support import media

from bas.clock import milliseconds
from bas.dataset import length_ms, open_video, packets, probe
from bas.errors import BasError, DataError, MissingError

FORMS = ["mkv", "mp4", "faststart", "fragmented", "ts"]
SUFFIX = {"mkv": ".mkv", "ts": ".ts"}


def kinds(path: Path) -> set[str]:
    return {problem.kind for problem in probe(path).problems}


def write(folder: Path, form: str, pictures: int = 100, **options: object) -> Path:
    path = folder / f"{form}{SUFFIX.get(form, '.mp4')}"
    return media.write_video(path, pictures, container=form, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
def test_every_picture_of_an_intact_video_has_its_time(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form)
    times = probe(path)
    assert times.pts.dtype == np.int64
    assert times.pts.tolist() == sorted(media.numbers_by_pts(path))
    seconds = [(pts - times.start_pts) * times.time_base for pts in times.pts.tolist()]
    assert seconds == [Fraction(i, 25) for i in range(100)]
    assert times.problems == ()
    assert times.notes == ()
    assert (times.codec, times.width, times.height, times.fps) == ("h264", 128, 96, Fraction(25))
    assert times.length_ms == length_ms(path) == 4000
    assert times.duration == 4


@pytest.mark.parametrize("form", FORMS)
def test_keyframes_are_where_a_decoder_can_start(tmp_path: Path, form: str) -> None:
    times = probe(write(tmp_path, form, 50, keyframe_every=10))
    frames = [(pts - times.start_pts) * times.time_base * 25 for pts in times.keyframes.tolist()]
    assert frames == [0, 10, 20, 30, 40]


def test_the_declared_rate_is_an_exact_fraction(tmp_path: Path) -> None:
    times = probe(media.write_video(tmp_path / "a.mkv", 60, fps=Fraction(30000, 1001)))
    assert times.fps == Fraction(30000, 1001)
    assert times.length_ms == 2002


def test_hevc_is_probed_in_the_same_way(tmp_path: Path) -> None:
    times = probe(media.write_video(tmp_path / "a.mkv", 30, codec="libx265"))
    assert (times.codec, len(times.pts), times.problems) == ("hevc", 30, ())


def test_the_length_of_a_single_picture_follows_from_the_rate(tmp_path: Path) -> None:
    times = probe(media.write_video(tmp_path / "a.mkv", 1))
    assert (len(times.pts), times.length_ms) == (1, 40)


@pytest.mark.fault("V02", "P02")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("form", ["mkv", "faststart", "fragmented"])
def test_a_truncated_video_always_has_a_problem(tmp_path: Path, form: str, share: float) -> None:
    path = media.truncate(write(tmp_path, form, 300), share)
    problem = next(problem for problem in probe(path).problems if problem.kind == "truncated")
    size = f"{path.stat().st_size:,} of "
    assert size in problem.text
    assert problem.text.endswith(" bytes")


@pytest.mark.fault("V02")
def test_a_truncated_video_is_reported_with_the_seconds_present(tmp_path: Path) -> None:
    path = media.truncate(write(tmp_path, "mkv", 300), 0.5)
    present = max(media.numbers_by_pts(path)) / 1000 + 0.04
    (problem,) = probe(path).problems
    assert problem.text.startswith(f"truncated: {present:.2f} of 12.00 s, ")


@pytest.mark.fault("V01", "P03")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_an_mp4_without_its_index_is_reported_as_such(tmp_path: Path, share: float) -> None:
    path = media.truncate(write(tmp_path, "mp4"), share)
    size = path.stat().st_size
    with pytest.raises(
        DataError, match=rf"index \(moov\) is missing.* {size:,} of at least .*download it again"
    ):
        probe(path)


def test_a_truncated_transport_stream_is_shorter_without_a_problem(tmp_path: Path) -> None:
    path = media.truncate(write(tmp_path, "ts"), 0.5)
    assert probe(path).problems == ()
    assert 1500 < length_ms(path) < 2500


@pytest.mark.fault("V03", "P03")
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"This file was moved to the archive.\n", "text file.*This file was moved"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (bytes(range(256)) * 20, "not a video"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "AVI"),
    ],
)
def test_the_error_describes_a_file_that_is_not_a_video(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "match.mkv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=what):
        probe(path)


@pytest.mark.fault("P01")
def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="does not exist"):
        probe(tmp_path / "none.mkv")
    with pytest.raises(MissingError, match="is a folder"):
        probe(tmp_path)


@pytest.mark.fault("S03")
def test_a_disguised_playlist_cannot_open_other_files(tmp_path: Path) -> None:
    secret = media.write_video(tmp_path / "secret.mp4", 10)
    playlist = tmp_path / "match.mkv"
    playlist.write_text(f"ffconcat version 1.0\nfile {secret.name}\n")
    with pytest.raises(DataError, match="playlist"):
        probe(playlist)


@pytest.mark.fault("S03")
def test_a_url_is_treated_as_a_file_name() -> None:
    with pytest.raises(MissingError, match="does not exist"):
        probe(Path("http://localhost/match.mp4"))


def test_a_colon_in_a_file_name_is_not_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media.write_video(tmp_path / "tcp:1.mkv", 10)
    monkeypatch.chdir(tmp_path)
    assert len(probe(Path("tcp:1.mkv")).pts) == 10


@pytest.mark.fault("S03")
def test_too_many_pixels_are_refused(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "big.mkv", 1, size=(4098, 2304))
    with pytest.raises(DataError, match="4098 x 2304. Expected at most 4096 x 2304"):
        probe(path)


@pytest.mark.fault("S03")
def test_pictures_that_grow_too_large_within_a_stream_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = media.write_video(tmp_path / "small.ts", 10)
    large = media.write_video(tmp_path / "large.ts", 10, size=(256, 192))
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    monkeypatch.setattr("bas.dataset.video.containers._MAX_PIXELS", 128 * 96)
    decoded: list[int] = []
    with open_video(path) as stream, pytest.raises(av.error.FFmpegError):
        decoded.extend(
            frame.width for packet in packets(stream) for frame in stream.codec_context.decode(packet)
        )
    assert set(decoded) <= {128}


@pytest.mark.fault("V11")
def test_audio_alone_is_not_a_video(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no video stream"):
        probe(media.write_audio(tmp_path / "a.mp4"))


@pytest.mark.fault("V11")
def test_the_largest_stream_is_used_and_noted(tmp_path: Path) -> None:
    times = probe(media.write_two_streams(tmp_path / "a.mkv", 20, sizes=[(128, 96), (256, 192), (64, 48)]))
    assert (times.width, len(times.pts)) == (256, 20)
    assert times.notes == ("3 video streams; using stream 1, 256 x 192",)


@pytest.mark.fault("V11")
def test_a_cover_picture_is_not_the_main_stream(tmp_path: Path) -> None:
    times = probe(media.write_two_streams(tmp_path / "a.mp4", 20, sizes=[(128, 96)], attached_picture=True))
    assert (times.width, len(times.pts)) == (128, 20)


def test_audio_longer_than_the_pictures_is_not_a_problem(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        times = probe(media.write_video(tmp_path / name, 30, audio=True, size=(398, 224)))
        assert (times.problems, times.length_ms) == ((), 1200)


@pytest.mark.fault("V06")
@pytest.mark.parametrize("form", FORMS)
def test_a_delay_of_a_few_frames_is_not_a_problem(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form, 50, start_ms=320)
    times = probe(path)
    assert times.problems == ()
    assert times.length_ms == length_ms(path) == 2000


@pytest.mark.fault("V06")
@pytest.mark.parametrize("form", ["mkv", "mp4"])
def test_a_late_first_picture_is_a_problem(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form, 50, start_ms=1280)
    times = probe(path)
    assert [problem.kind for problem in times.problems] == ["late"]
    assert "1." in times.problems[0].text
    assert times.length_ms == length_ms(path) >= 3280


def test_a_transport_stream_may_start_anywhere(tmp_path: Path) -> None:
    path = write(tmp_path, "ts", 50, start_ms=36_000_000)
    times = probe(path)
    assert times.problems == ()
    assert times.length_ms == length_ms(path) == 2000


@pytest.mark.fault("V06", "P06")
def test_lost_first_packets_make_the_first_picture_late(tmp_path: Path) -> None:
    whole = media.write_video(tmp_path / "whole.mkv", 100)
    headless = media.drop_packets(whole, tmp_path / "headless.mkv", keep=lambda number: number >= 32)
    assert kinds(headless) == {"late"}


@pytest.mark.fault("V05")
def test_a_gap_is_reported_with_its_position(tmp_path: Path) -> None:
    whole = media.write_video(tmp_path / "whole.mkv", 300, keyframe_every=10, b_frames=0)
    path = media.drop_packets(whole, tmp_path / "hole.mkv", keep=lambda number: not 100 <= number < 150)
    times = probe(path)
    assert len(times.pts) == 250
    (problem,) = times.problems
    assert (problem.kind, problem.text) == ("hole", "no picture for 2.04 s at 00:03-00:06")


def test_many_gaps_are_one_problem(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "a.mkv", times_ms=[1000 * i for i in range(8)])
    (problem,) = probe(path).problems
    assert problem.kind == "hole"
    assert problem.text.endswith("and in 4 more places")


@pytest.mark.fault("V07")
def test_a_variable_frame_rate_is_noted(tmp_path: Path) -> None:
    steps = [40, 80, 20] * 20
    path = media.write_video(tmp_path / "a.mkv", times_ms=np.cumsum([0, *steps]).tolist())
    times = probe(path)
    assert times.pts.tolist() == np.cumsum([0, *steps]).tolist()
    assert times.notes == ("variable frame rate; pictures are placed by their presentation times",)


def test_a_wrong_declared_rate_is_noted(tmp_path: Path) -> None:
    times = probe(media.write_video(tmp_path / "a.mkv", fps=50, times_ms=[40 * i for i in range(60)]))
    assert "declares 50.00 pictures per second, but shows 25.00" in times.notes


def test_times_that_span_more_than_a_day_are_refused(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "a.mkv", times_ms=[0, 40, 80, 30 * 3600 * 1000], b_frames=0)
    with pytest.raises(DataError, match="pictures span"):
        probe(path)


@pytest.mark.fault("V08")
def test_declared_counts_are_only_noted(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "a.mp4", 50, container="faststart")
    content = path.read_bytes()
    table = content.index(b"stsz") + 12
    assert int.from_bytes(content[table : table + 4]) == 50
    times = probe(media.truncate(path, 0.6))
    assert times.notes == (f"declares 50 pictures, but has {len(times.pts)}",)
    assert 0 < len(times.pts) < 50


def test_pictures_hidden_by_an_edit_list_are_not_counted(tmp_path: Path) -> None:
    path = media.write_video(tmp_path / "a.mp4", 60, start_ms=-400)
    times = probe(path)
    numbers = media.numbers_by_pts(path)
    assert times.pts.tolist() == sorted(numbers)
    assert sorted(numbers.values()) == list(range(10, 60))  # type: ignore[type-var]
    assert times.keyframes[0] < times.start_pts
    assert times.problems == ()
    assert times.length_ms == length_ms(path) == 2000


@pytest.mark.fault("V05")
@pytest.mark.parametrize("hole_ms", [960, 1000, 1040, 1080, 3000, 20_000])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_pictures_reordered_across_a_hole_keep_their_times(tmp_path: Path, suffix: str, hole_ms: int) -> None:
    moments = [*range(0, 2000, 40), *range(1960 + hole_ms, 3960 + hole_ms, 40)]
    times = probe(media.write_video(tmp_path / f"a{suffix}", times_ms=moments))
    assert [milliseconds((int(pts) - times.start_pts) * times.time_base) for pts in times.pts] == moments
    assert [problem.kind for problem in times.problems] == ["hole"]
    assert times.packet_times is None


@pytest.mark.fault("V04")
def test_packets_after_damage_are_read(tmp_path: Path) -> None:
    path = media.flip_bytes(media.write_video(tmp_path / "a.mkv", 200), 40, seed=3)
    with open_video(path) as stream:
        found = [packet for packet in packets(stream) if packet.size]
    assert len(found) >= 190


@pytest.mark.fault("S03")
def test_mutated_files_are_either_read_or_refused(tmp_path: Path) -> None:
    generator = random.Random(7)
    sources = [write(tmp_path, form, 40).read_bytes() for form in FORMS]
    for number in range(100):
        content = bytearray(generator.choice(sources))
        for _ in range(generator.choice([1, 5, 40])):
            content[generator.randrange(min(len(content), generator.choice([2000, len(content)])))] = (
                generator.randrange(256)
            )
        path = tmp_path / f"mutant{number}"
        path.write_bytes(content[: generator.choice([len(content), generator.randrange(len(content))])])
        for read in (probe, length_ms):
            try:
                read(path)
            except BasError as error:
                assert str(path) in str(error)  # noqa: PT017
