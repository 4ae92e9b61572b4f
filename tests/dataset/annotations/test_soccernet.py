from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import media
from support.matches import GAME, annotation, touch, write_labels

from bas.clock import game_time
from bas.dataset import (
    BALL_CLASSES,
    SOCCERNET_V2_CLASSES,
    Labels,
    labels_of,
    open_dataset,
    read_annotations,
    require_left_right,
)
from bas.errors import DataError, MissingError
from bas.types import Spot

any_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)


def read(folder: Path, *annotations: Any, **options: Any) -> Labels:
    path = write_labels(folder / "Labels-ball.json", annotations)
    return read_annotations(path, **{"classes": BALL_CLASSES, "halves": {1}} | options)


def refused(folder: Path, *annotations: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, *annotations, **options)
    return str(caught.value)


def test_an_annotation_becomes_a_spot(tmp_path: Path) -> None:
    labels = read(
        tmp_path, annotation(6_102_040, "OUT", team="away", visibility="not shown", gameTime="1 - 101:42")
    )
    assert labels.spots == (Spot(6_102_040, "OUT", team="away", visible=False, half=1),)
    assert labels.warnings == ()


def test_team_and_visibility_may_be_left_out(tmp_path: Path) -> None:
    entry = annotation()
    del entry["team"], entry["visibility"]
    assert read(tmp_path, entry).spots == (Spot(12360, "PASS", team=None, visible=True),)


def test_soccernet_v2_labels_are_read_in_the_same_way(tmp_path: Path) -> None:
    entries = [
        annotation(387_831, "Goal", half=2, team="not applicable"),
        annotation(500, "Kick-off", team="home"),
    ]
    labels = read(tmp_path, *entries, classes=SOCCERNET_V2_CLASSES, halves={1, 2})
    assert labels.spots == (Spot(500, "Kick-off", "home"), Spot(387_831, "Goal", None, half=2))


def test_unknown_keys_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "Labels-ball.json"
    path.write_text(json.dumps({"halftime": "1 - 46:04", "annotations": [annotation(confidence=1)]}))
    assert len(read_annotations(path, classes=BALL_CLASSES, halves={1}).spots) == 1


@given(position=st.integers(0, 86_400_000))
@any_folder
def test_a_position_is_an_integer_or_a_string_of_digits(tmp_path: Path, position: int) -> None:
    clock = game_time(1, position)
    for value in (position, str(position)):
        assert read(tmp_path, annotation(value, gameTime=clock)).spots[0].position_ms == position


@pytest.mark.fault("L02", "P15", "P16")
@given(
    position=st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | st.integers(max_value=-1)
    | st.integers(min_value=86_400_001)
    | st.text(st.characters(exclude_categories=["Cs"])).filter(
        lambda text: not (text.isascii() and text.isdigit())
    )
    | st.lists(st.integers(), max_size=2)
    | st.sampled_from(["3000.7", "-40", "+40", " 40", "40 ", "1e3", "", "٣٠٠٠", "0x10", "1_000", "9" * 5000])
)
@any_folder
def test_any_other_position_is_refused(tmp_path: Path, position: Any) -> None:
    assert "annotations[0]: invalid position " in refused(
        tmp_path, annotation(position, gameTime="1 - 00:00")
    )


@pytest.mark.fault("L03", "P17")
@pytest.mark.parametrize(
    ("label", "advice"),
    [
        ("pass", "did you mean PASS?"),
        ("HIGH_PASS", "did you mean HIGH PASS?"),
        ("Throw In", "did you mean THROW IN?"),
        ("xyz", "expected PASS, DRIVE"),
        (None, "unknown label None"),
        (["PASS"], "unknown label ['PASS']"),
    ],
)
def test_an_unknown_label_is_refused_with_the_nearest(tmp_path: Path, label: Any, advice: str) -> None:
    message = refused(tmp_path, annotation(), annotation(label=label))
    assert "Labels-ball.json:annotations[1]: unknown label" in message
    assert advice in message


@pytest.mark.fault("L03")
def test_a_missing_label_is_refused(tmp_path: Path) -> None:
    entry = annotation()
    del entry["label"]
    assert "annotations[0]: unknown label None" in refused(tmp_path, entry)


@pytest.mark.fault("L01", "P14")
def test_a_position_beyond_the_end_is_refused_with_the_excess(tmp_path: Path) -> None:
    message = refused(tmp_path, annotation(6_105_000), video_ms={1: 6_102_920})
    assert (
        "Labels-ball.json:annotations[0]: position 6,105,000 ms is beyond the end of the video at 6,102,920 ms (+2.1 s)"
        in message
    )


@pytest.mark.fault("L01")
def test_one_frame_beyond_the_end_is_tolerated(tmp_path: Path) -> None:
    assert len(read(tmp_path, annotation(10_040), video_ms={1: 10_000}).spots) == 1
    assert "(+0.0 s)" in refused(tmp_path, annotation(10_041), video_ms={1: 10_000})


@pytest.mark.fault("L01")
def test_each_half_has_its_own_end(tmp_path: Path) -> None:
    entries = [annotation(9000, half=1), annotation(9000, half=2)]
    message = refused(tmp_path, *entries, halves={1, 2}, video_ms={1: 10_000, 2: 5000})
    assert "annotations[1]: position 9,000 ms is beyond the end of the video at 5,000 ms" in message
    assert "annotations[0]" not in message


@pytest.mark.fault("L09")
@pytest.mark.parametrize("half", [0, 2, 3])
def test_a_half_without_a_video_is_refused(tmp_path: Path, half: int) -> None:
    assert f"invalid half {half} in gameTime" in refused(tmp_path, annotation(half=half))


@pytest.mark.parametrize("clock", [None, 12, "", "00:12", "1 - 00:72", "1-00:12", "1 - 00:12 "])
def test_a_game_time_in_another_format_is_refused(tmp_path: Path, clock: Any) -> None:
    assert f"invalid gameTime {clock!r}; expected '1 - MM:SS'" in refused(
        tmp_path, annotation(gameTime=clock)
    )


@pytest.mark.fault("L05")
@pytest.mark.parametrize(
    ("position", "agrees"), [(13_500, True), (10_500, True), (13_501, False), (10_499, False)]
)
def test_game_time_and_position_may_differ_by_a_second_and_a_half(
    tmp_path: Path, position: int, agrees: bool
) -> None:
    entry = annotation(position, gameTime="1 - 00:12")
    if agrees:
        assert read(tmp_path, entry).spots[0].position_ms == position
    else:
        assert f"gameTime '1 - 00:12' contradicts position {position:,} ms" in refused(tmp_path, entry)


@pytest.mark.parametrize(
    ("key", "value"), [("team", "blue"), ("team", 1), ("visibility", "hidden"), ("visibility", None)]
)
def test_an_unknown_team_or_visibility_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    assert f"unknown {key} {value!r}" in refused(tmp_path, annotation(**{key: value}))


def test_all_mistakes_are_counted_and_the_first_ten_are_listed(tmp_path: Path) -> None:
    message = refused(tmp_path, *[annotation(label="DRIBBLE")] * 14, annotation(), "PASS")
    assert "(15 in 16 annotations)" in message
    assert message.count("annotations[") == 10
    assert "and 5 more" in message


@pytest.mark.fault("L04")
def test_exact_duplicates_are_kept_once_with_a_warning(tmp_path: Path) -> None:
    labels = read(tmp_path, annotation(), annotation(40), annotation())
    assert [spot.position_ms for spot in labels.spots] == [40, 12360]
    assert "dropped 1 duplicate annotation" in labels.warnings[0]


@pytest.mark.fault("L04", "P18")
def test_different_spots_at_one_position_are_all_kept(tmp_path: Path) -> None:
    labels = read(tmp_path, annotation(), annotation(label="DRIVE"), annotation(team="right"))
    assert len(labels.spots) == 3
    assert labels.warnings == ()


@pytest.mark.fault("L04", "P18")
def test_no_label_of_seven_matches_is_lost(tmp_path: Path) -> None:
    generator = random.Random(0)
    for number in range(7):
        frames = generator.sample(range(150_000), 1776)
        entries = [
            annotation(40 * frame, generator.choice(BALL_CLASSES), team=generator.choice(["left", "right"]))
            for frame in frames
        ]
        labels = read(tmp_path / str(number), *entries, video_ms={1: 6_000_000})
        found = [(spot.position_ms, spot.label, spot.team) for spot in labels.spots]
        assert found == sorted((int(e["position"]), e["label"], e["team"]) for e in entries)
        assert labels.counts == Counter(entry["label"] for entry in entries)


@pytest.mark.fault("L10")
@pytest.mark.parametrize(
    "content",
    [
        b'{"annotations": [], "annotations": []}',
        b'{"annotations": [NaN]}',
        b'{"annotations": [{"gameTi',
        b"",
    ],
)
def test_json_is_read_strictly(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Labels-ball.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="Invalid JSON in"):
        read_annotations(path, classes=BALL_CLASSES, halves={1})


@pytest.mark.fault("L10")
def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "Labels-ball.json", [annotation()])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_annotations(path, classes=BALL_CLASSES, halves={1}).spots) == 1


@pytest.mark.fault("L05", "P19")
def test_one_game_time_that_contradicts_its_position_is_told_and_the_position_used(tmp_path: Path) -> None:
    entries = [annotation(60_000 * minute) for minute in range(1, 9)]
    entries[3]["gameTime"] = "1 - 04:31"
    labels = read(tmp_path, *entries)
    assert [spot.position_ms for spot in labels.spots] == [60_000 * minute for minute in range(1, 9)]
    (warning,) = labels.warnings
    assert "position of 1 annotation with another gameTime" in warning
    assert "annotations[3]: gameTime '1 - 04:31' contradicts position 240,000 ms (1 - 04:00)" in warning


@pytest.mark.fault("L05", "P19")
def test_a_file_in_which_most_game_times_contradict_is_refused(tmp_path: Path) -> None:
    entries = [annotation(60_000 * minute, gameTime="1 - 00:00") for minute in range(1, 4)]
    assert "(3 in 4 annotations)" in refused(tmp_path, annotation(0), *entries)


@pytest.mark.parametrize("content", ["[]", "{}", '{"annotations": {}}', "1"])
def test_a_file_without_annotations_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "Labels-ball.json"
    path.write_text(content)
    with pytest.raises(DataError, match="no list of annotations"):
        read_annotations(path, classes=BALL_CLASSES, halves={1})


@pytest.mark.fault("V14")
def test_a_file_of_another_game_gives_a_warning(tmp_path: Path) -> None:
    path = tmp_path / GAME / "Labels-ball.json"
    write_labels(path, [annotation()], url="england_efl/2019-2020/2019-10-05 - Wrong - Game/")
    (warning,) = read_annotations(path, classes=BALL_CLASSES, halves={1}).warnings
    assert "2019-10-05 - Wrong - Game" in warning
    write_labels(path, [annotation()], url=f"{GAME}/")
    assert read_annotations(path, classes=BALL_CLASSES, halves={1}).warnings == ()


@pytest.mark.fault("L08")
@pytest.mark.parametrize(("team", "words"), [("left", "left/right"), ("away", "home/away"), (None, None)])
def test_the_naming_of_teams_is_recognized(tmp_path: Path, team: str | None, words: str | None) -> None:
    assert read(tmp_path, annotation(team=None), annotation(40, team=team)).team_words == words


@pytest.mark.fault("L08")
def test_predicting_teams_needs_left_and_right(tmp_path: Path) -> None:
    require_left_right(read(tmp_path, annotation()), source="game")
    with pytest.raises(DataError, match=r"game names teams as home and away; .*spotting-ball-2025"):
        require_left_right(read(tmp_path, annotation(team="home")), source="game")
    with pytest.raises(DataError, match="game has no team for 1 of its 2 actions.*fit.teams=none"):
        require_left_right(read(tmp_path, annotation(), annotation(40, team=None)), source="game")


@pytest.mark.fault("L08")
def test_mixed_team_names_in_one_file_are_refused(tmp_path: Path) -> None:
    assert "both left/right and home/away" in refused(tmp_path, annotation(), annotation(40, team="home"))


@pytest.mark.fault("L01", "P14")
def test_the_labels_of_a_game_are_checked_against_its_video(tmp_path: Path) -> None:
    media.write_video(tmp_path / GAME / "720p.mp4", 50)
    write_labels(tmp_path / GAME / "Labels-ball.json", [annotation(1960)])
    (game,) = open_dataset(tmp_path).games
    assert len(labels_of(game, BALL_CLASSES).spots) == 1
    write_labels(tmp_path / GAME / "Labels-ball.json", [annotation(3000)])
    with pytest.raises(
        DataError, match=r"position 3,000 ms is beyond the end of the video at 2,000 ms \(\+1.0 s\)"
    ):
        labels_of(game, BALL_CLASSES)


def test_labels_without_videos_can_be_read(tmp_path: Path) -> None:
    write_labels(tmp_path / GAME / "Labels-ball.json", [annotation(3000)])
    assert len(labels_of(open_dataset(tmp_path).games[0], BALL_CLASSES).spots) == 1


def test_a_game_without_labels_is_reported_with_the_files_in_its_folder(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "720p.mp4", "labels-ball.json")
    with pytest.raises(
        MissingError, match=r"has no labels. .*the folder contains 720p.mp4, labels-ball.json"
    ):
        labels_of(open_dataset(tmp_path).games[0], BALL_CLASSES)
