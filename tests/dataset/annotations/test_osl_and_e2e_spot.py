"""OSL JSON v1 and v2 and E2E-Spot JSON give the same spots as SoccerNet's label format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.matches import GAME, annotation, touch, write_labels
from support.media import write_video

from bas.commands.data.doctor import print_findings
from bas.dataset import BALL_CLASSES, Layout, examine, labels_of, open_dataset, read_annotations
from bas.dataset.annotations.osl_and_e2e_spot import parse_video_list
from bas.errors import BasError, DataError
from bas.evaluate.formats.soccernet import read_scored_labels as read_leniently
from bas.types import Spot

CLASSES = ["DRIVE", "PASS"]
SPOTS = (Spot(1240, "PASS", "left"), Spot(1240, "DRIVE", "right"), Spot(3000, "PASS"))


def osl_v1(path: str) -> dict[str, Any]:
    entries = [
        {"gameTime": "1 - 00:01", "label": "PASS", "position": 1240, "team": "left"},
        {"gameTime": "1 - 00:01", "label": "DRIVE", "position": "1240", "team": "right"},
        {"label": "PASS", "position": 3000},
    ]
    videos = [{"path_video": path, "annotations": entries, "gameDate": "unknown"}]
    return {"version": 1, "date": "2023-01-01", "labels": CLASSES, "videos": videos}


def osl_v2(path: str, **item: Any) -> dict[str, Any]:
    events = [
        {"head": "ball_action", "label": "PASS", "position_ms": 1240, "frame": 31, "team": "left"},
        {"head": "ball_action", "label": "DRIVE", "frame": 31, "team": "right"},
        {"head": "ball_action", "label": "PASS", "position_ms": 3000},
    ]
    data = [{"inputs": [{"type": "video", "path": path, "fps": 25.0}], "events": events} | item]
    labels = {"ball_action": {"type": "single_label", "labels": CLASSES}}
    return {"version": "2.0", "labels": labels, "data": data}


def e2e_spot(name: str) -> list[dict[str, Any]]:
    events = [
        {"frame": 31, "label": "PASS", "comment": "", "team": "left"},
        {"frame": 31, "label": "DRIVE", "comment": "", "team": "right"},
        {"frame": 75, "label": "PASS", "comment": ""},
    ]
    return [{"video": name, "num_frames": 100, "num_events": 3, "events": events, "fps": 25.0, "width": 128}]


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "layout"),
    [
        (osl_v1(f"{GAME}/720p.mp4"), Layout.OSL),
        (osl_v2(f"{GAME}/720p.mp4"), Layout.OSL),
        (e2e_spot(f"{GAME}/720p"), Layout.E2E_SPOT),
    ],
    ids=["OSL v1", "OSL v2", "E2E-Spot"],
)
def test_every_format_gives_the_same_spots(
    tmp_path: Path, content: Any, layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    write_video(tmp_path / GAME / "720p.mp4", 100, size=(224, 128))
    write(tmp_path / "annotations_test.json", content)
    if layout is Layout.E2E_SPOT:
        (tmp_path / "class.txt").write_text("DRIVE\nPASS\n")
    dataset = open_dataset(tmp_path)
    (game,) = dataset.split("test")
    assert (dataset.layout, dataset.classes) == (layout, tuple(CLASSES))
    assert game.videos[0].path == tmp_path / GAME / "720p.mp4"
    assert labels_of(game, dataset.classes).spots == SPOTS
    assert read_leniently(tmp_path)[game.id] == SPOTS
    report = examine(tmp_path)
    assert report.findings == ()
    print_findings(report)
    shown = capsys.readouterr().out
    assert layout.value in shown
    assert "Splits from the video lists" in shown


def test_the_game_id_is_the_folder_the_path_or_the_declared_id(tmp_path: Path) -> None:
    for content in (osl_v1(f"{GAME}/720p.mp4"), osl_v2("a.mp4", id=GAME)):
        found = parse_video_list(content, source="x")
        assert found is not None
        assert found.items[0].id == GAME
    assert parse_video_list(osl_v1("cup/final.mkv"), source="x").items[0].id == "cup/final"  # type: ignore[union-attr]


def test_splits_come_from_the_files_and_a_split_without_events_is_unlabeled(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    write(tmp_path / "train.json", osl_v2("a.mp4"))
    write(tmp_path / "val.json", osl_v2("b.mp4"))
    hidden = osl_v2("c.mp4") | {"metadata": {"split": "challenge"}}
    del hidden["data"][0]["events"]
    write(tmp_path / "more.json", hidden)
    dataset = open_dataset(tmp_path)
    assert [game.id for game in dataset.split("train")] == ["a"]
    assert [game.id for game in dataset.split("valid")] == ["b"]
    assert dataset.split("challenge")[0].labels is None


def test_predictions_without_labels_and_ids_are_read(tmp_path: Path) -> None:
    """The format is that of opensportslib 0.3.3."""
    document = osl_v2("a.mp4")
    del document["labels"]
    write_video(tmp_path / "a.mp4", 100)
    write(tmp_path / "test.json", document)
    dataset = open_dataset(tmp_path)
    assert dataset.classes == BALL_CLASSES
    assert labels_of(dataset.games[0], dataset.classes).spots == SPOTS


def test_labels_beside_a_video_may_be_in_any_format(tmp_path: Path) -> None:
    write_video(tmp_path / "derby.mp4", 100)
    write(tmp_path / "derby.json", osl_v2("derby.mp4", id="some other name"))
    dataset = open_dataset(tmp_path)
    assert dataset.layout is Layout.FOLDER
    assert labels_of(dataset.games[0], dataset.classes).spots == SPOTS


def test_soccernet_labels_take_precedence_over_a_list_of_videos(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "720p.mp4")
    write_labels(tmp_path / GAME / "Labels-ball.json", [annotation()])
    write(tmp_path / "list.json", osl_v2("a.mp4"))
    assert open_dataset(tmp_path).layout is Layout.BALL_WHOLE


def test_mistakes_in_entries_are_reported_as_in_soccernet_labels(tmp_path: Path) -> None:
    document = osl_v2("a.mp4")
    document["data"][0]["events"] = [{"label": "pass", "position_ms": 0}, {"label": "PASS"}, "PASS"]
    with pytest.raises(DataError) as caught:
        read_annotations(write(tmp_path / "a.json", document), classes=BALL_CLASSES, halves={1})
    message = str(caught.value)
    assert "annotations[0]: unknown label 'pass' (did you mean PASS?)" in message
    assert "annotations[1]: invalid position None; expected whole milliseconds" in message
    assert "annotations[2]: invalid position None; expected whole milliseconds" in message


@pytest.mark.fault("S11", "P29")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (osl_v2("../a.mp4", id="a"), "leads out of"),
        (osl_v2("/a.mp4", id="a"), "leads out of"),
        (osl_v2("../a.mp4"), "invalid game id '../a'"),
        (
            {"data": [{"id": "a", "inputs": [], "events": []}]},
            "invalid item .*Expected an input of type video",
        ),
        ({"data": [1]}, "invalid item .*Expected an input of type video"),
        ({"videos": [{"annotations": []}]}, "invalid video .*Expected path_video"),
        ([{"video": "a", "events": [], "fps": 0}], "invalid video .*Expected its name, fps"),
        ({"data": osl_v2("a.mp4")["data"] * 2}, "lists a twice"),
        (
            {"data": [{"inputs": [{"path": "a.mp4"}], "events": [{"head": "a"}, {"head": "b"}]}]},
            "events of 2 heads: a, b",
        ),
    ],
)
def test_an_invalid_list_of_videos_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    write(tmp_path / "test.json", content)
    with pytest.raises(DataError, match=words):
        open_dataset(tmp_path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "videos", "inputs", "events", "path", "fps", "frame", "label", "video", "head"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(_json)
@example({"path": ""})
@example({"path": "."})
@example({"path": "/"})
def test_any_json_is_either_read_or_refused(content: Any) -> None:
    for form in (content, {"data": [content]}, {"videos": [content]}, [{"video": "a", "events": [content]}]):
        try:
            found = parse_video_list(form, source="x")
        except BasError:
            continue
        assert found is None or all(item.id for item in found.items)
