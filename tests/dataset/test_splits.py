from __future__ import annotations

from pathlib import Path

import pytest
from SoccerNet.utils import getListGames
from support.matches import touch

from bas.dataset import Dataset, open_dataset, split_lists
from bas.errors import DataError, MissingError, SettingsError

TRAIN, VALID = (getListGames(split, task="spotting-ball") for split in ("train", "valid"))


def ball(root: Path, *games: str) -> Dataset:
    for game in games:
        touch(root / game, "720p.mp4")
    return open_dataset(root)


def custom(root: Path, text: str, *games: str) -> Dataset:
    touch(root, *(f"{game}.mkv" for game in games))
    (root / "splits.yaml").write_text(text)
    return open_dataset(root)


def test_official_games_are_in_the_order_of_the_official_list(tmp_path: Path) -> None:
    dataset = ball(tmp_path, *TRAIN, *VALID)
    assert [game.id for game in dataset.split("train")] == TRAIN
    assert [game.id for game in dataset.split("valid")] == [game.id for game in dataset.split("val")] == VALID
    assert len(dataset.split("all")) == 5


def test_the_layout_determines_the_official_lists(tmp_path: Path) -> None:
    sizes = {name: len(games) for name, games in split_lists(tmp_path, ball(tmp_path, *VALID).layout).items()}
    assert sizes == {"train": 4, "valid": 1, "test": 2, "challenge": 2}
    touch(tmp_path / "v2/england_epl/2014-2015/game", "1_720p.mkv", "2_720p.mkv")
    layout = open_dataset(tmp_path / "v2").layout
    sizes = {name: len(games) for name, games in split_lists(tmp_path / "v2", layout).items()}
    assert sizes == {"train": 300, "valid": 100, "test": 100, "challenge": 50}


def test_a_missing_game_of_a_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=rf"split train that are missing in .*\(1\): {TRAIN[3]}"):
        ball(tmp_path, *TRAIN[:3]).split("train")


def test_an_archive_that_may_contain_the_missing_games_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "test.zip")
    with pytest.raises(MissingError, match=r"No split 'test'.* test.zip in .* may contain them"):
        ball(tmp_path, *TRAIN).split("test")


def test_an_unknown_split_is_refused_with_an_example_of_custom_splits(tmp_path: Path) -> None:
    dataset = ball(tmp_path, "league/season/game")
    with pytest.raises(
        MissingError,
        match=r"No split 'train'.*Available: all\..*create .*splits.yaml .* train: \['league/season/game'\]",
    ):
        dataset.split("train")
    assert len(dataset.split("all")) == 1


def test_a_misspelled_split_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    dataset = ball(tmp_path, *TRAIN)
    with pytest.raises(MissingError, match=r"Unknown split 'tset' \(did you mean test\?\)"):
        dataset.split("tset")


def test_a_data_folder_below_the_root_is_refused_with_the_root(tmp_path: Path) -> None:
    ball(tmp_path, *TRAIN)
    with pytest.raises(MissingError, match="pass the folder that contains england_efl with --data"):
        open_dataset(tmp_path / "england_efl").split("train")


def test_a_single_video_has_only_the_split_all(tmp_path: Path) -> None:
    touch(tmp_path, "derby.mkv")
    with pytest.raises(MissingError, match=r"Available: all\. The folder has"):
        open_dataset(tmp_path / "derby.mkv").split("test")


def test_custom_splits_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    dataset = custom(tmp_path, "train: [b, a]\nval: [c]\n", "a", "b", "c", "d")
    assert [game.id for game in dataset.split("train")] == ["b", "a"]
    assert [game.id for game in dataset.split("valid")] == ["c"]
    with pytest.raises(MissingError, match=r"No split 'test'.*Available: all, train, valid"):
        dataset.split("test")


def test_custom_splits_take_precedence_over_official_ones(tmp_path: Path) -> None:
    (tmp_path / "splits.yaml").write_text(f"test: ['{TRAIN[0]}']\n")
    assert [game.id for game in ball(tmp_path, *TRAIN).split("test")] == [TRAIN[0]]


def test_a_missing_game_of_a_custom_split_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"\(1\): derby-2025-april. Did you mean 'derby-2025-april1'"):
        custom(tmp_path, "train: [derby-2025-april]", "derby-2025-april1").split("train")


@pytest.mark.parametrize("text", ["train: [a]\ntest: [a]", "train: [a, b, a]"])
def test_a_game_in_two_splits_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="'a' is listed in train and again in"):
        custom(tmp_path, text, "a", "b").split("train")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trian: [a]", "unknown split 'trian'"),
        ("valid: [a]\nval: [b]", "both valid and val"),
        ("train: a", "train is not a list"),
        ("train: []", "train is not a list"),
        ("train: [1]", "1 is not a string"),
        ("train: [../a]", "invalid game id '../a'"),
    ],
)
def test_an_invalid_split_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        custom(tmp_path, text, "a", "b").split("train")


def test_a_split_file_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Invalid YAML in .*splits.yaml"):
        custom(tmp_path, "train: [a", "a").split("train")
