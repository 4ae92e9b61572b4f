"""Clips and rendered videos have exactly the requested pictures, at their presentation times."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import media

from bas.dataset import BALL_CLASSES, VideoTimes, probe
from bas.evaluate.analysis.outcomes import (
    Outcome,
    false_positives,
    match_outcomes,
    misses,
    peak_score,
    worst_mistakes,
)
from bas.evaluate.video import drawing
from bas.evaluate.video.drawing import text_picture
from bas.evaluate.video.highlights import Highlight, cut_highlights, highlight_name
from bas.evaluate.video.overlay import Overlay, _Painter, _spot_caption, render
from bas.evaluate.video.panel import Panel
from bas.evaluate.video.reading import even_size, read_pictures, resized
from bas.types import Prediction, Scores, Spot

FPS = Fraction(25)


def highlight(position_ms: int) -> Highlight:
    return Highlight(position_ms, "PASS left 93%")


def times_of(path: Path) -> list[Fraction]:
    times = probe(path)
    return [int(pts) * times.time_base for pts in times.pts]


@pytest.mark.parametrize("form", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("keyframes", [12, 250])
def test_a_clip_has_exactly_the_pictures_around_its_position(
    tmp_path: Path, form: str, keyframes: int
) -> None:
    suffix = {"mkv": ".mkv", "mp4": ".mp4", "ts": ".ts"}[form]
    video = media.write_video(tmp_path / f"video{suffix}", 300, keyframe_every=keyframes, audio=True)
    times = probe(video)
    (path,) = cut_highlights(times, [highlight(5004)], tmp_path / "out", origin_pts=times.start_pts)
    # In a transport stream the silence before the sound of the AAC encoder is heard, and the pictures wait for it.
    assert path.name == f"000m05.{'068' if form == 'ts' else '004'}s PASS left 93%.mp4"
    numbers = list(media.numbers_by_pts(path).values())
    assert numbers == list(range(51, 201))  # from 2.004 s on, up to 8.004 s
    assert np.allclose([float(t) for t in times_of(path)], np.arange(150) / 25 + 0.036, atol=0.0011)
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_clips_at_both_ends_are_shorter(tmp_path: Path) -> None:
    times = probe(media.write_video(tmp_path / "video.mp4", 200))
    first, last = cut_highlights(times, [highlight(0), highlight(7960)], tmp_path, origin_pts=times.start_pts)
    assert list(media.numbers_by_pts(first).values()) == list(range(75))
    assert list(media.numbers_by_pts(last).values()) == list(range(124, 200))


def test_a_clip_of_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    at = np.cumsum(rng.integers(20, 90, 100)).tolist()
    video = media.write_video(tmp_path / "phone.mkv", times_ms=[0, *at])
    times = probe(video)
    (path,) = cut_highlights(times, [highlight(2000)], tmp_path, origin_pts=times.start_pts)
    kept = [t for t in [0, *at] if t < 5000]
    assert [round(1000 * t) for t in times_of(path)] == kept


def test_a_highlight_without_pictures_is_skipped_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [*range(0, 2000, 40), *range(20_000, 22_000, 40)]
    times = probe(media.write_video(tmp_path / "video.mkv", times_ms=at))
    highlights = [highlight(1000), highlight(10_000), highlight(21_000), highlight(60_000)]
    paths = cut_highlights(times, highlights, tmp_path / "out", origin_pts=times.start_pts)
    assert [path.name[:11] for path in paths] == ["000m01.000s", "000m21.000s"]
    assert set((tmp_path / "out").iterdir()) == set(paths)
    warnings = " ".join(capsys.readouterr().err.split())
    assert "no pictures around 000m10.000s PASS left 93%; skipping that clip" in warnings


def test_only_clips_of_earlier_calls_are_removed_and_only_on_request(
    tmp_path: Path,
) -> None:
    times = probe(media.write_video(tmp_path / "video.mp4", 50))
    out, origin = tmp_path / "out", times.start_pts
    users_file = out / "000m00.400s the best of them.mp4"
    first, second = cut_highlights(
        times, [highlight(400), highlight(800)], out, origin_pts=origin, remove_stale=True
    )
    users_file.write_bytes(b"a user's")
    cut_highlights(times, [highlight(800)], out, origin_pts=origin)
    assert set(out.iterdir()) == {users_file, first, second}
    cut_highlights(times, [highlight(800)], out, origin_pts=origin, remove_stale=True)
    assert set(out.iterdir()) == {users_file, second}
    cut_highlights(times, [], out, origin_pts=origin, remove_stale=True)
    assert list(out.iterdir()) == [users_file]


def test_names_sort_by_time_and_suit_every_file_system() -> None:
    assert (
        highlight_name(Highlight(6_102_040, "miss Yellow->red card 50%"))
        == "101m42.040s miss Yellow-red card 50%"
    )
    names = [highlight_name(highlight(ms)) for ms in (4, 59_999, 60_004, 6_000_000)]
    assert names == sorted(names)


def overlay(num_frames: int, classes: tuple[str, ...] = BALL_CLASSES) -> Overlay:
    values = np.random.default_rng(1).random((num_frames, len(classes))).astype(np.float32)
    predictions = [
        Prediction(1004, 1, "PASS", 0.9, "left"),
        Prediction(1004, 1, "GOAL", 0.8, None),
        Prediction(2004, 1, "OUT", 0.1, None),
    ]
    spots = [Spot(1040, "PASS", "left"), Spot(2000, "SHOT")]
    outcomes = match_outcomes(
        {"x": spots},
        {"x": predictions},
        thresholds=dict.fromkeys(BALL_CLASSES, 0.5),
        half_window=12,
        framerate=25,
    )
    return Overlay(Scores(values, classes, FPS), outcomes, is_labeled=True)


def luma_of(path: Path, number: int) -> np.ndarray:
    with av.open(str(path)) as container:
        frame = next(f for i, f in enumerate(container.decode(video=0)) if i == number)
        return frame.to_ndarray(format="gray")


@pytest.mark.parametrize("size", [(398, 224), (1280, 720)])
def test_every_picture_is_rendered_at_its_time_above_the_panel(tmp_path: Path, size: tuple[int, int]) -> None:
    video = media.write_video(tmp_path / "video.mkv", 12, size=size, audio=True)
    times = probe(video)
    render(times, overlay(40), tmp_path / "out.mp4", origin_pts=times.start_pts)
    assert times_of(tmp_path / "out.mp4") == times_of(video)
    rendered = probe(tmp_path / "out.mp4")
    scale = rendered.width // size[0]
    assert scale == (2 if size[1] == 224 else 1)
    assert rendered.height > scale * size[1]
    for number in (0, 5, 11):
        luma = luma_of(tmp_path / "out.mp4", number)[: scale * size[1]]
        assert media.number_of(luma) == number
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_captions_appear_at_their_position_and_disappear(tmp_path: Path) -> None:
    video = media.write_video(tmp_path / "video.mkv", 16, fps=5, size=(640, 400))
    times = probe(video)
    plain = Overlay(overlay(75).scores, (), is_labeled=False)
    render(times, plain, tmp_path / "plain.mp4", origin_pts=times.start_pts)
    render(times, overlay(75), tmp_path / "annotated.mp4", origin_pts=times.start_pts)

    def differs(number: int, columns: slice) -> bool:
        one, other = (
            luma_of(tmp_path / f"{name}.mp4", number)[12:40, columns].astype(int)
            for name in ("plain", "annotated")
        )
        return bool(np.abs(one - other).mean() > 20)

    left, right = slice(12, 100), slice(540, 628)
    assert [differs(number, left) for number in (4, 6, 12, 13)] == [False, True, True, False]
    assert [differs(number, right) for number in (4, 6, 12, 14)] == [False, True, True, True]


def test_a_confused_spot_is_captioned_as_confused_not_as_missed() -> None:
    spots = [Spot(1000, "PASS", "left"), Spot(3000, "PASS"), Spot(5000, "PASS")]
    predictions = [Prediction(1000, 1, "PASS", 0.9, "left"), Prediction(3000, 1, "SHOT", 0.9, None)]
    outcomes = match_outcomes(
        {"x": spots},
        {"x": predictions},
        thresholds=dict.fromkeys(BALL_CLASSES, 0.5),
        half_window=12,
        framerate=25,
    )
    captions = [_spot_caption(one.spot, one.kind) for one in outcomes if one.spot]
    assert [caption.text for caption in captions] == ["labeled PASS left", "confused PASS", "missed PASS"]


class ReferenceWatch:
    """Passes pictures through, and records the most that others held references to at one time."""

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
    read, painted, paint = ReferenceWatch(), ReferenceWatch(), _Painter.paint
    monkeypatch.setattr(
        "bas.evaluate.video.overlay.read_pictures",
        lambda times, **span: map(read, read_pictures(times, **span)),
    )
    monkeypatch.setattr(_Painter, "paint", lambda *arguments: painted(paint(*arguments)))
    render(times, overlay(40), tmp_path / "out.mp4", origin_pts=times.start_pts)
    assert 1 <= read.most <= 4
    assert 1 <= painted.most <= 4


def test_both_teams_of_an_action_share_a_row_of_the_panel() -> None:
    classes = tuple(f"{label}-{team}" for label in ("PASS", "DRIVE") for team in ("left", "right"))
    values = np.zeros((200, 4), np.float32)
    values[:100, classes.index("DRIVE-left")] = values[100:, classes.index("DRIVE-right")] = 1.0
    panel = Panel(Scores(values, classes, FPS), {}, width=400, text_size=12)
    picture = panel.draw(100)
    rows = [
        set(np.flatnonzero((picture == color).all(axis=2).any(axis=1)).tolist())
        for color in (drawing.LEFT, drawing.RIGHT)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) > 10
    assert panel.height < Panel(overlay(200).scores, {}, width=400, text_size=12).height


def test_an_odd_size_is_rounded_down_to_even(tmp_path: Path) -> None:
    frame = av.VideoFrame(127, 95, "yuv444p")
    frame.pts = 7
    shown = resized(frame, even_size(frame.width, frame.height))
    assert (shown.width, shown.height, shown.format.name, shown.pts) == (126, 94, "yuv420p", 7)


def test_reading_from_any_picture_agrees_with_reading_from_the_start(tmp_path: Path) -> None:
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


def test_text_is_drawn_dark_on_white_at_an_even_size() -> None:
    picture = text_picture("PASS 93 %", size=13, color=(0, 0, 0), background=(255, 255, 255))
    assert picture.min() < 60
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0


_PASSES = {"PASS": 0.0}


def test_mistakes_are_ranked_by_how_wrong_the_scores_are() -> None:
    values = np.full((200, 1), 0.25, np.float32)
    values[148] = 0.6
    scores = {"x": {1: Scores(values, ("PASS",), FPS)}}
    spots = [Spot(1000, "PASS"), Spot(4000, "PASS"), Spot(6000, "PASS")]
    predictions = [Prediction(ms, 1, "PASS", c, None) for ms, c in ((1200, 0.9), (1300, 0.7), (7900, 0.8))]
    outcomes = match_outcomes(
        {"x": spots}, {"x": predictions}, thresholds=_PASSES, half_window=12, framerate=25
    )
    assert [one.position_ms for one in false_positives(outcomes)] == [7900, 1300]
    assert [(one.position_ms, peak_score(one, scores)) for one in misses(outcomes, scores)] == [
        (4000, 0.25),
        (6000, pytest.approx(0.6)),
    ]
    assert [one.position_ms for one in worst_mistakes(outcomes, scores, 3)] == [7900, 4000, 1300]


_mistakes = st.one_of(
    st.builds(lambda ms: Outcome("x", 1, Spot(ms, "PASS"), None), st.integers(0, 10_000)),
    st.builds(
        lambda ms, confidence: Outcome("x", 1, None, Prediction(ms, 1, "PASS", confidence, None)),
        st.integers(0, 10_000),
        st.floats(0, 1),
    ),
)


@given(st.lists(_mistakes, max_size=20), st.integers(1, 25))
def test_the_worst_mistakes_are_balanced_between_misses_and_false_positives(
    mistakes: list[Outcome], number: int
) -> None:
    chosen = worst_mistakes(mistakes, {}, number)
    assert len(chosen) == min(number, len(mistakes))
    for kind in ("miss", "false positive"):
        available = sum(one.kind == kind for one in mistakes)
        assert sum(one.kind == kind for one in chosen) >= min(number // 2, available)
    confidences = [one.detection.confidence for one in chosen if one.detection]
    assert confidences == sorted(confidences, reverse=True)
