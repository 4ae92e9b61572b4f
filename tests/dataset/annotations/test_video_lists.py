"""Lists of videos: none is passed over, names may have dots, and a list is read once however many videos it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.matches import annotation, touch, write_labels

from bas import files
from bas.commands.data.doctor import examine_folder
from bas.dataset import BALL_CLASSES, examine, labels_of, open_dataset
from bas.dataset.annotations import label_files
from bas.errors import DataError
from bas.evaluate.predictions import labels_of_games


def listed(*names: str, label: str = "PASS") -> str:
    event = {"frame": 5, "label": label, "comment": ""}
    return json.dumps([{"video": name, "num_frames": 50, "events": [event], "fps": 25.0} for name in names])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An E2E-Spot folder with a list for each of three splits."""
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        touch(tmp_path, f"{name}.mp4")
        (tmp_path / f"{split}.json").write_text(listed(name))
    return tmp_path


DAMAGE = {
    "a trailing comma": listed("b").replace("}]", "},]"),
    "half of it": listed("b")[:20],
    "nothing": "",
    "another kind": '{"epoch": 1}',
    "no events": '[{"video": "b", "fps": 25.0}]',
}


@pytest.mark.fault("L10")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_list_among_others_is_named_instead_of_losing_its_split(root: Path, damage: str) -> None:
    (root / "val.json").write_text(DAMAGE[damage])
    with pytest.raises(DataError, match=r"val\.json"):
        open_dataset(root)
    with pytest.raises(DataError, match=r"val\.json"):
        examine_folder(root, video=None)


@pytest.mark.fault("L10")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_list_alone_does_not_make_an_unlabeled_folder(tmp_path: Path, damage: str) -> None:
    touch(tmp_path, "b.mp4")
    (tmp_path / "train.json").write_text(DAMAGE[damage])
    with pytest.raises(DataError, match=r"train\.json"):
        open_dataset(tmp_path)


def test_damaged_json_of_any_name_is_an_error_to_doctor(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4")
    (tmp_path / "events.json").write_text(DAMAGE["a trailing comma"])
    assert len(open_dataset(tmp_path).games) == 1  # it may be of some other program
    assert any("events.json" in one.message and one.severity == "error" for one in examine(tmp_path).findings)
    with pytest.raises(DataError, match="error"):
        examine_folder(tmp_path, video=None)


@pytest.mark.fault("L10")
@pytest.mark.parametrize("name", ["train.json", "class.txt"])
def test_a_byte_order_mark_changes_nothing(root: Path, name: str) -> None:
    (root / "class.txt").write_text("PASS\nSHOT\n")
    before = open_dataset(root)
    (root / name).write_bytes(b"\xef\xbb\xbf" + (root / name).read_bytes())
    assert open_dataset(root) == before
    assert [game.id for game in before.split("train")] == ["a"]
    assert before.classes == ("PASS", "SHOT")


def test_a_class_list_that_is_not_text_is_refused_by_name(root: Path) -> None:
    (root / "class.txt").write_bytes(b"\xff\xfeP\x00A\x00")
    with pytest.raises(DataError, match=r"class\.txt is not text in UTF-8"):
        open_dataset(root)


def test_the_classes_of_a_folder_of_videos_may_stand_in_class_txt(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "class.txt").write_text("Rally Start\nNet kill\n\nRally Start\n")
    assert open_dataset(tmp_path).classes == ("Rally Start", "Net kill")
    assert open_dataset(tmp_path / "a.mp4").classes == ("Rally Start", "Net kill")


@pytest.mark.parametrize(
    "name", ["1. FC Köln - St. Pauli", "2. Liga/2019.2020/Atl. Madrid - Dep. La Coruña", "v1.2", "a.b.c"]
)
@pytest.mark.parametrize("form", ["E2E-Spot", "OSL v1", "OSL v1 without suffix", "OSL v2"])
def test_a_dot_in_a_name_is_no_suffix(tmp_path: Path, name: str, form: str) -> None:
    touch(tmp_path, f"{name}.mp4")
    path = name if form == "OSL v1 without suffix" else f"{name}.mp4"
    spots = [{"label": "PASS", "position": 200}]
    event = {"label": "PASS", "position_ms": 200}
    document: Any = {
        "E2E-Spot": json.loads(listed(name)),
        "OSL v1": {"videos": [{"path_video": path, "annotations": spots}]},
        "OSL v1 without suffix": {"videos": [{"path_video": path, "annotations": spots}]},
        "OSL v2": {"data": [{"inputs": [{"type": "video", "path": path}], "events": [event]}]},
    }[form]
    (tmp_path / "test.json").write_text(json.dumps(document))
    (game,) = open_dataset(tmp_path).split("test")
    assert game.id == name
    assert game.videos[0].path == tmp_path / f"{name}.mp4"


def test_a_list_is_read_once_however_many_videos_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"v{number:03d}" for number in range(200)]
    (tmp_path / "train.json").write_text(listed(*names[:150]))
    (tmp_path / "test.json").write_text(listed(*names[150:]))
    reads: list[Path] = []

    def counting(path: Path, **options: Any) -> Any:
        reads.append(path)
        return files.read_json(path, **options)

    monkeypatch.setattr(label_files, "read_json", counting)
    dataset = open_dataset(tmp_path)
    games = (*dataset.split("train", need_videos=False), *dataset.split("test", need_videos=False))
    spots = {game.id: labels_of(game, dataset.classes).spots for game in games}
    assert sorted(reads) == [tmp_path / "test.json", tmp_path / "train.json"]
    assert spots == labels_of_games(games)
    (tmp_path / "test.json").write_text(listed(*names[150:], label="SHOT"))
    changed = labels_of(games[-1], BALL_CLASSES).spots
    assert [spot.label for spot in changed] == ["SHOT"]  # what is kept is never stale


def test_damaged_labels_are_named_where_they_would_make_a_second_layout(tmp_path: Path) -> None:
    write_labels(tmp_path / "league/season/one" / "Labels-ball.json", [annotation(half=2)])
    write_labels(tmp_path / "league/season/two" / "Labels-ball.json").write_text('{"annotations": [')
    with pytest.raises(DataError, match=r"Invalid JSON in .*two/Labels-ball\.json"):
        open_dataset(tmp_path)
