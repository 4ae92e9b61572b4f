"""Clips and rendered videos: exactly the pictures that were asked for, at their times."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import media
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bas.dataset import BALL_CLASSES, VideoTimes, probe
from bas.evaluate import drawing
from bas.evaluate.clips import Moment, clip_name, cut_clips
from bas.evaluate.drawing import text_picture
from bas.evaluate.mistakes import false_alarms, misses, seen, worst
from bas.evaluate.outcomes import Outcome, outcomes
from bas.evaluate.panel import Panel
from bas.evaluate.pictures import even, read_pictures
from bas.evaluate.render import Story, _Painter, render
from bas.evaluate.soccernet import Prediction
from bas.types import Scores, Spot

FPS = Fraction(25)


def moment(position_ms: int) -> Moment:
    return Moment(position_ms, "PASS left 93%")


def times_of(path: Path) -> list[Fraction]:
    found = probe(path)
    return [int(pts) * found.time_base for pts in found.pts]


@pytest.mark.parametrize("form", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("keyframes", [12, 250])
def test_a_clip_holds_exactly_its_pictures(tmp_path: Path, form: str, keyframes: int) -> None:
    suffix = {"mkv": ".mkv", "mp4": ".mp4", "ts": ".ts"}[form]
    video = media.write_video(tmp_path / f"video{suffix}", 300, keyframe_every=keyframes, audio=True)
    times = probe(video)
    (path,) = cut_clips(times, [moment(5004)], tmp_path / "out", origin_pts=times.start_pts)
    assert path.name == "000m05.004s PASS left 93%.mp4"
    numbers = list(media.numbers_by_pts(path).values())
    assert numbers == list(range(51, 201))  # from 2.004 s on, up to 8.004 s
    assert np.allclose([float(t) for t in times_of(path)], np.arange(150) / 25 + 0.036, atol=0.0011)
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_clips_at_both_ends_are_shorter(tmp_path: Path) -> None:
    times = probe(media.write_video(tmp_path / "video.mp4", 200))
    first, last = cut_clips(times, [moment(0), moment(7960)], tmp_path, origin_pts=times.start_pts)
    assert list(media.numbers_by_pts(first).values()) == list(range(75))
    assert list(media.numbers_by_pts(last).values()) == list(range(124, 200))


def test_a_varying_rate_keeps_its_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    at = np.cumsum(rng.integers(20, 90, 100)).tolist()
    video = media.write_video(tmp_path / "phone.mkv", times_ms=[0, *at])
    times = probe(video)
    (path,) = cut_clips(times, [moment(2000)], tmp_path, origin_pts=times.start_pts)
    kept = [t for t in [0, *at] if t < 5000]
    assert [round(1000 * t) for t in times_of(path)] == kept


def test_a_moment_without_a_picture_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [*range(0, 2000, 40), *range(20_000, 22_000, 40)]
    times = probe(media.write_video(tmp_path / "video.mkv", times_ms=at))
    moments = [moment(1000), moment(10_000), moment(21_000), moment(60_000)]
    paths = cut_clips(times, moments, tmp_path / "out", origin_pts=times.start_pts)
    assert [path.name[:11] for path in paths] == ["000m01.000s", "000m21.000s"]
    assert set((tmp_path / "out").iterdir()) == set(paths)
    told = " ".join(capsys.readouterr().err.split())
    assert "around 000m10.000s PASS left 93%: that clip is left out" in told


def test_clips_replace_those_of_an_earlier_call_where_the_folder_is_theirs_and_nothing_else(
    tmp_path: Path,
) -> None:
    times = probe(media.write_video(tmp_path / "video.mp4", 50))
    out, origin = tmp_path / "out", times.start_pts
    mine = out / "000m00.400s the best of them.mp4"
    first, second = cut_clips(times, [moment(400), moment(800)], out, origin_pts=origin, ours=True)
    mine.write_bytes(b"a user's")
    cut_clips(times, [moment(800)], out, origin_pts=origin)
    assert set(out.iterdir()) == {mine, first, second}
    cut_clips(times, [moment(800)], out, origin_pts=origin, ours=True)
    assert set(out.iterdir()) == {mine, second}
    cut_clips(times, [], out, origin_pts=origin, ours=True)
    assert list(out.iterdir()) == [mine]


def test_names_sort_by_time_and_suit_every_file_system() -> None:
    assert clip_name(Moment(6_102_040, "miss Yellow->red card 50%")) == "101m42.040s miss Yellow-red card 50%"
    names = [clip_name(moment(ms)) for ms in (4, 59_999, 60_004, 6_000_000)]
    assert names == sorted(names)


def story(num_frames: int, classes: tuple[str, ...] = BALL_CLASSES) -> Story:
    values = np.random.default_rng(1).random((num_frames, len(classes))).astype(np.float32)
    claims = [
        Prediction(1004, 1, "PASS", 0.9, "left"),
        Prediction(1004, 1, "GOAL", 0.8, None),
        Prediction(2004, 1, "OUT", 0.1, None),
    ]
    spots = [Spot(1040, "PASS", "left"), Spot(2000, "SHOT")]
    found = outcomes(
        {"x": spots}, {"x": claims}, thresholds=dict.fromkeys(BALL_CLASSES, 0.5), reach=12, framerate=25
    )
    return Story(Scores(values, classes, FPS), found, labeled=True)


def luma_of(path: Path, number: int) -> np.ndarray:
    with av.open(str(path)) as container:
        frame = next(f for i, f in enumerate(container.decode(video=0)) if i == number)
        return frame.to_ndarray(format="gray")


@pytest.mark.parametrize("size", [(398, 224), (1280, 720)])
def test_every_picture_is_rendered_at_its_time_with_the_panel_under_it(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    video = media.write_video(tmp_path / "video.mkv", 12, size=size, audio=True)
    times = probe(video)
    render(times, story(40), tmp_path / "out.mp4", origin_pts=times.start_pts)
    assert times_of(tmp_path / "out.mp4") == times_of(video)
    found = probe(tmp_path / "out.mp4")
    scale = found.width // size[0]
    assert scale == (2 if size[1] == 224 else 1)
    assert found.height > scale * size[1]
    for number in (0, 5, 11):
        luma = luma_of(tmp_path / "out.mp4", number)[: scale * size[1]]
        assert media.number_of(luma) == number
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_events_appear_when_they_happen_and_go(tmp_path: Path) -> None:
    video = media.write_video(tmp_path / "video.mkv", 16, fps=5, size=(640, 400))
    times = probe(video)
    plain = Story(story(75).scores, (), labeled=False)
    render(times, plain, tmp_path / "plain.mp4", origin_pts=times.start_pts)
    render(times, story(75), tmp_path / "told.mp4", origin_pts=times.start_pts)

    def differs(number: int, columns: slice) -> bool:
        one, other = (
            luma_of(tmp_path / f"{name}.mp4", number)[12:40, columns].astype(int)
            for name in ("plain", "told")
        )
        return bool(np.abs(one - other).mean() > 20)

    left, right = slice(12, 100), slice(540, 628)
    assert [differs(number, left) for number in (4, 6, 12, 13)] == [False, True, True, False]
    assert [differs(number, right) for number in (4, 6, 12, 14)] == [False, True, True, True]


class Watch:
    """Lets pictures pass, and sees how many of all that passed are still held by others."""

    def __init__(self) -> None:
        self.most = 0
        self._passed: list[av.VideoFrame] = []

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._passed.append(frame)
        own = 3  # the list, the variable, the argument
        self.most = max(self.most, sum(sys.getrefcount(one) > own for one in self._passed))
        return frame


def test_memory_does_not_grow_with_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = probe(media.write_video(tmp_path / "video.mkv", 40, size=(320, 200)))
    read, painted, paint = Watch(), Watch(), _Painter.paint
    monkeypatch.setattr(
        "bas.evaluate.render.read_pictures", lambda times, **span: map(read, read_pictures(times, **span))
    )
    monkeypatch.setattr(_Painter, "paint", lambda *arguments: painted(paint(*arguments)))
    render(times, story(40), tmp_path / "out.mp4", origin_pts=times.start_pts)
    assert 1 <= read.most <= 4
    assert 1 <= painted.most <= 4


def test_teams_share_a_row_of_the_panel() -> None:
    classes = tuple(f"{label}-{team}" for label in ("PASS", "DRIVE") for team in ("left", "right"))
    values = np.zeros((200, 4), np.float32)
    values[:100, classes.index("DRIVE-left")] = values[100:, classes.index("DRIVE-right")] = 1.0
    panel = Panel(Scores(values, classes, FPS), {}, width=400, text=12)
    picture = panel.draw(100)
    rows = [
        set(np.flatnonzero((picture == color).all(axis=2).any(axis=1)).tolist())
        for color in (drawing.LEFT, drawing.RIGHT)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 10
    assert panel.height < Panel(story(200).scores, {}, width=400, text=12).height


def test_odd_sizes_become_even(tmp_path: Path) -> None:
    frame = av.VideoFrame(127, 95, "yuv444p")
    frame.pts = 7
    shown = even(frame)
    assert (shown.width, shown.height, shown.format.name, shown.pts) == (126, 94, "yuv420p", 7)


def test_a_read_from_anywhere_gives_what_a_read_from_the_start_gives(tmp_path: Path) -> None:
    video = media.write_video(
        tmp_path / "v.mkv", 60, keyframe_every=25, options={"x264-params": "open-gop=1"}
    )
    times = probe(video)
    whole = _pixels(times, 0)
    for start in (1, 24, 26, 50):
        assert _pixels(times, int(times.pts[start])) == whole[start:]


def _pixels(times: VideoTimes, start_pts: int) -> list[bytes]:
    stop = int(times.pts[-1]) + 1
    return [
        frame.to_ndarray().tobytes() for frame in read_pictures(times, start_pts=start_pts, stop_pts=stop)
    ]


def test_text_is_black_on_white_and_not_empty() -> None:
    picture = text_picture("PASS 93 %", size=13, ink=(0, 0, 0), paper=(255, 255, 255))
    assert picture.min() < 60
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0


_PASSES = {"PASS": 0.0}


def test_mistakes_are_ranked_by_how_far_the_model_is_from_the_truth() -> None:
    values = np.full((200, 1), 0.25, np.float32)
    values[148] = 0.6
    scores = {"x": {1: Scores(values, ("PASS",), FPS)}}
    spots = [Spot(1000, "PASS"), Spot(4000, "PASS"), Spot(6000, "PASS")]
    claims = [Prediction(ms, 1, "PASS", c, None) for ms, c in ((1200, 0.9), (1300, 0.7), (7900, 0.8))]
    found = outcomes({"x": spots}, {"x": claims}, thresholds=_PASSES, reach=12, framerate=25)
    assert [one.position_ms for one in false_alarms(found)] == [7900, 1300]
    assert [(one.position_ms, seen(one, scores)) for one in misses(found, scores)] == [
        (4000, 0.25),
        (6000, pytest.approx(0.6)),
    ]
    assert [one.position_ms for one in worst(found, scores, 3)] == [7900, 4000, 1300]


_mistakes = st.one_of(
    st.builds(lambda ms: Outcome("x", 1, Spot(ms, "PASS"), None), st.integers(0, 10_000)),
    st.builds(
        lambda ms, sure: Outcome("x", 1, None, Prediction(ms, 1, "PASS", sure, None)),
        st.integers(0, 10_000),
        st.floats(0, 1),
    ),
)


@given(st.lists(_mistakes, max_size=20), st.integers(1, 25))
def test_the_worst_are_shared_between_misses_and_false_alarms(found: list[Outcome], number: int) -> None:
    chosen = worst(found, {}, number)
    assert len(chosen) == min(number, len(found))
    for kind in ("missed", "false alarm"):
        there = sum(one.kind == kind for one in found)
        assert sum(one.kind == kind for one in chosen) >= min(number // 2, there)
    sure = [one.claim.confidence for one in chosen if one.claim]
    assert sure == sorted(sure, reverse=True)
