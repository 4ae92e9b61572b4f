from __future__ import annotations

from pathlib import Path

import pytest
from support.matches import GAME, OTHER_GAME, annotation, touch, write_labels

from bas.dataset import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES, Layout, open_dataset
from bas.errors import DataError, MissingError

V2_GAME = "england_epl/2014-2015/2015-02-21 - 18-00 Chelsea 1 - 1 Burnley"


def test_the_2023_edition_has_two_videos_per_game(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "1_720p.mkv", "2_720p.mkv", "1_224p.mkv", "2_224p.mkv", "Labels-ball.json")
    dataset = open_dataset(tmp_path)
    (game,) = dataset.split("all")
    assert (dataset.layout, dataset.classes) == (Layout.BALL_HALVES, BALL_CLASSES_2023)
    assert game.id == GAME
    assert [(video.path.name, video.half) for video in game.videos] == [("1_720p.mkv", 1), ("2_720p.mkv", 2)]
    assert game.labels == tmp_path / GAME / "Labels-ball.json"


def test_the_2024_and_2025_editions_have_one_video_per_game(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "224p.mp4", "720p.mp4", "Labels-ball.json")
    dataset = open_dataset(tmp_path, video="224p")
    (game,) = dataset.split("all")
    assert (dataset.layout, dataset.classes) == (Layout.BALL_WHOLE, BALL_CLASSES)
    assert [(video.path.name, video.half) for video in game.videos] == [("224p.mp4", 1)]


def test_soccernet_v2_is_recognized_by_its_labels(tmp_path: Path) -> None:
    touch(tmp_path / "league/season/game", "1_224p.mkv", "2_224p.mkv", "Labels-v2.json")
    dataset = open_dataset(tmp_path, video="224p")
    assert (dataset.layout, dataset.classes) == (Layout.SOCCERNET_V2, SOCCERNET_V2_CLASSES)
    assert dataset.games[0].labels == tmp_path / "league/season/game/Labels-v2.json"


@pytest.mark.parametrize(("game", "layout"), [(GAME, Layout.BALL_HALVES), (V2_GAME, Layout.SOCCERNET_V2)])
def test_halves_without_labels_are_recognized_by_their_league(
    tmp_path: Path, game: str, layout: Layout
) -> None:
    touch(tmp_path / game, "1_720p.mkv", "2_720p.mkv")
    dataset = open_dataset(tmp_path)
    assert dataset.layout is layout
    assert dataset.games[0].labels is None


def test_a_folder_of_videos_has_one_game_per_video(tmp_path: Path) -> None:
    touch(
        tmp_path, "derby.mkv", "derby.json", "cup/final.MP4", "notes.txt", ".hidden.mkv", "__MACOSX/derby.mkv"
    )
    dataset = open_dataset(tmp_path)
    assert dataset.layout is Layout.FOLDER
    assert [game.id for game in dataset.split("all")] == ["cup/final", "derby"]
    assert dataset.games[1].labels == tmp_path / "derby.json"


def test_a_single_video_is_a_game(tmp_path: Path) -> None:
    touch(tmp_path, "derby.mkv", "derby.json")
    dataset = open_dataset(tmp_path / "derby.mkv")
    (game,) = dataset.split("all")
    assert (dataset.layout, game.id) == (Layout.FILE, "derby")
    assert game.labels == tmp_path / "derby.json"


def test_the_folder_of_one_game_is_a_dataset(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "720p.mp4", "Labels-ball.json")
    (game,) = open_dataset(tmp_path / GAME).split("all")
    assert game.id == Path(GAME).name


@pytest.mark.parametrize(
    ("label", "classes"), [("PASS", BALL_CLASSES), ("Goal", SOCCERNET_V2_CLASSES), ("else", BALL_CLASSES)]
)
def test_the_labels_of_a_folder_determine_its_classes(
    tmp_path: Path, label: str, classes: tuple[str, ...]
) -> None:
    touch(tmp_path, "derby.mkv", "other.mkv")
    (tmp_path / "other.json").write_text("broken")
    write_labels(tmp_path / "derby.json", [annotation(label=label)])
    assert open_dataset(tmp_path).classes == classes


@pytest.mark.parametrize(("half", "layout"), [(1, Layout.BALL_WHOLE), (2, Layout.BALL_HALVES)])
def test_labels_alone_are_games_without_videos(tmp_path: Path, half: int, layout: Layout) -> None:
    write_labels(tmp_path / GAME / "Labels-ball.json", [annotation(half=half)])
    dataset = open_dataset(tmp_path)
    assert dataset.layout is layout
    assert [game.id for game in dataset.split("all", need_videos=False)] == [GAME]
    with pytest.raises(MissingError, match="expected"):
        dataset.split("all")


def test_games_are_sorted_by_id(tmp_path: Path) -> None:
    for game in (OTHER_GAME, GAME):
        touch(tmp_path / game, "720p.mp4")
    assert [game.id for game in open_dataset(tmp_path).games] == [GAME, OTHER_GAME]


@pytest.mark.fault("V12")
def test_a_missing_half_is_named_with_the_existing_files(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "1_720p.mkv", "Labels-ball.json")
    with pytest.raises(
        MissingError,
        match=r"expected 1_720p.mkv and 2_720p.mkv in .*; the folder contains 1_720p.mkv, Labels-ball.json. "
        r"Download or copy 2_720p.mkv into it",
    ):
        open_dataset(tmp_path).split("all")


@pytest.mark.fault("V12")
@pytest.mark.parametrize("names", [("1_224p.mkv", "2_224p.mkv"), ("224p.mp4",)])
def test_the_error_suggests_videos_of_the_other_size(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path / GAME, *names, "Labels-ball.json")
    with pytest.raises(MissingError, match=r"pass --preset 224p, or --preset tiny"):
        open_dataset(tmp_path).split("all")


def test_a_folder_that_does_not_exist_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(MissingError, match=r"/dta does not exist\. Did you mean .*/data\? Pass the folder"):
        open_dataset(tmp_path / "dta")
    with pytest.raises(MissingError, match=r"/dta/far does not exist\. Pass the folder"):
        open_dataset(tmp_path / "dta" / "far")


@pytest.mark.fault("V12")
def test_the_error_suggests_renaming_a_file_in_the_wrong_case(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "1_720P.MKV", "2_720p.mkv", "Labels-ball.json")
    with pytest.raises(MissingError, match="Rename 1_720P.MKV to 1_720p.mkv"):
        open_dataset(tmp_path).split("all")


def test_all_incomplete_games_are_named_at_once(tmp_path: Path) -> None:
    for game in (GAME, OTHER_GAME):
        touch(tmp_path / game, "Labels-ball.json", "1_720p.mkv")
    with pytest.raises(MissingError, match=rf"2 of 2 matches(.|\n)*{GAME}(.|\n)*{OTHER_GAME}"):
        open_dataset(tmp_path).split("all")


def test_mixed_layouts_are_refused_with_examples(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "720p.mp4")
    touch(tmp_path / OTHER_GAME, "1_720p.mkv", "2_720p.mkv")
    touch(tmp_path, "extra.mkv")
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path)
    for text in (
        "mixes 3 layouts",
        "SN-BAS 2024 and 2025",
        "SN-BAS 2023",
        "extra.mkv",
        "Expected SoccerNet",
        "--data",
    ):
        assert text in str(caught.value)


def test_a_game_with_files_of_two_editions_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "720p.mp4", "1_720p.mkv", "2_720p.mkv")
    with pytest.raises(DataError, match="mixes 2 layouts"):
        open_dataset(tmp_path)


def test_packed_archives_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "train.zip", "valid.zip")
    with pytest.raises(MissingError, match=r"has only archives: train.zip, valid.zip.*`unzip train.zip -d "):
        open_dataset(tmp_path)


def test_an_unknown_folder_is_refused_with_its_content_and_the_expected_layouts(tmp_path: Path) -> None:
    touch(tmp_path, "readme.txt", "clips/a.wav")
    with pytest.raises(MissingError, match=r"no match, only clips/, readme.txt. Expected SoccerNet's"):
        open_dataset(tmp_path)


def test_a_missing_folder_is_refused_with_the_ways_to_pass_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="--data FOLDER.*BAS_DATA"):
        open_dataset(tmp_path / "none")


def test_games_nested_in_one_folder_are_refused_with_that_folder(tmp_path: Path) -> None:
    touch(tmp_path / "spotting-ball-2025" / GAME, "720p.mp4")
    with pytest.raises(DataError, match="Pass --data .*spotting-ball-2025"):
        open_dataset(tmp_path)


def test_games_nested_in_several_folders_are_refused_with_advice_to_merge_them(tmp_path: Path) -> None:
    touch(tmp_path / "train" / GAME, "720p.mp4")
    touch(tmp_path / "valid" / OTHER_GAME, "720p.mp4")
    with pytest.raises(
        DataError, match=r"2 matches are nested too deep, below .*train, .*valid.*Move the league folders"
    ):
        open_dataset(tmp_path)


def test_two_videos_with_the_same_stem_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "derby.mkv", "derby.mp4")
    with pytest.raises(DataError, match=r"derby.mkv, .*derby.mp4 would have the same game id"):
        open_dataset(tmp_path)


def test_a_symbolic_link_to_its_own_folder_ends_the_search(tmp_path: Path) -> None:
    touch(tmp_path / GAME, "720p.mp4")
    (tmp_path / GAME / "loop").symlink_to(tmp_path / GAME)
    assert [game.id for game in open_dataset(tmp_path).games] == [GAME]


def test_matches_are_found_through_a_symbolic_link(tmp_path: Path) -> None:
    touch(tmp_path / "disk" / "season" / "game", "720p.mp4")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "league").symlink_to(tmp_path / "disk")
    assert [game.id for game in open_dataset(tmp_path / "data").games] == ["league/season/game"]
