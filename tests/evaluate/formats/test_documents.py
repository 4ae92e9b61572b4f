"""Documents from folders and archives, and the errors for unreadable ones."""

from __future__ import annotations

import unicodedata
import zipfile
from pathlib import Path

import pytest
from support.matches import touch

from bas.errors import DataError, MissingError
from bas.evaluate.formats import documents
from bas.evaluate.formats.documents import document_folder, gather_documents, pair_games, wrapping_folder

NAME = "results_spotting.json"


def test_a_game_is_named_by_the_folder_of_its_document(tmp_path: Path) -> None:
    for game in ("a/b/first", "a/b/second"):
        _write(tmp_path / game / NAME)
    assert list(gather_documents(tmp_path, NAME)) == ["a/b/first", "a/b/second"]


def test_a_document_at_the_top_level_is_named_after_the_folder_or_archive(tmp_path: Path) -> None:
    _write(tmp_path / "2026-11-20 - St. Pauli" / NAME)
    assert list(gather_documents(tmp_path / "2026-11-20 - St. Pauli", NAME)) == ["2026-11-20 - St. Pauli"]
    assert list(gather_documents(_pack(tmp_path / "other.zip", NAME), NAME)) == ["other"]


def test_only_the_first_file_name_that_occurs_is_read(tmp_path: Path) -> None:
    _write(tmp_path / "game" / "Labels-ball.json")
    _write(tmp_path / "game" / "Labels-v2.json")
    documents_found = gather_documents(tmp_path, "Labels-ball.json", "Labels-v2.json", "*.json")
    assert [document.source for document in documents_found.values()] == [
        str(tmp_path / "game" / "Labels-ball.json")
    ]


def test_linked_folders_are_followed_and_hidden_files_are_ignored(tmp_path: Path) -> None:
    _write(tmp_path / "elsewhere" / "game" / NAME)
    root = tmp_path / "root"
    _write(root / ".cache" / NAME)
    _write(root / "league" / f"._{NAME}")
    (root / "league" / "season").symlink_to(tmp_path / "elsewhere")
    assert list(gather_documents(root, NAME)) == ["league/season/game"]


def test_the_resource_forks_in_an_archive_from_a_mac_are_ignored(tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", f"a/b/game/{NAME}", f"__MACOSX/a/b/game/._{NAME}")
    assert list(gather_documents(archive, NAME)) == ["a/b/game"]


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", f"game/{NAME}")
    content = bytearray(archive.read_bytes())
    content[60] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip"):
        gather_documents(archive, NAME)
    archive.write_bytes(content[:100])
    with pytest.raises(DataError, match=r"a\.zip is a damaged archive"):
        gather_documents(archive, NAME)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    archive = _pack(tmp_path / "a.zip", f"game/{NAME}")
    content = archive.read_bytes()
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.index(magic) + offset
        content = content[:at] + bytes([content[at] | 1]) + content[at + 1 :]
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"encrypted.*Unpack it and pass the folder"):
        gather_documents(archive, NAME)


@pytest.mark.fault("S07")
def test_a_document_over_the_size_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_DOCUMENT_BYTES", 10)
    _write(tmp_path / "game" / NAME, "x" * 11)
    with pytest.raises(DataError, match="is larger than 10 bytes"):
        gather_documents(tmp_path, NAME)
    with pytest.raises(DataError, match=rf"a\.zip:{NAME} is larger than 10 bytes"):
        gather_documents(_pack(tmp_path / "a.zip", NAME, content="x" * 11), NAME)


@pytest.mark.fault("S07")
def test_an_archive_over_the_total_limit_is_refused_with_that_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_MAX_TOTAL_BYTES", 30)
    archive = _pack(tmp_path / "a.zip", f"a/{NAME}", f"b/{NAME}", content="x" * 16)
    with pytest.raises(DataError, match=r"a\.zip have 32 bytes. Expected at most 30 in one archive"):
        gather_documents(archive, NAME)


def test_the_error_for_no_documents_lists_the_files_found(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="It contains nothing"):
        gather_documents(tmp_path, NAME)
    with pytest.raises(MissingError, match=r"It contains other\.txt"):
        gather_documents(_pack(tmp_path / "a.zip", "other.txt"), NAME)


def test_games_are_paired_despite_a_wrapping_folder() -> None:
    games = ["england_efl/2019-2020/A - B", "england_efl/2019-2020/C - D"]
    wrapped = {f"run/test/{game}" for game in games}
    pairs = pair_games(games, wrapped)
    assert pairs == {game: f"run/test/{game}" for game in games}
    assert wrapping_folder(pairs) == "run/test/"
    assert wrapping_folder(pair_games(games, games)) is None
    assert pair_games(games, {"A - B"}) == {games[0]: "A - B"}


@pytest.mark.parametrize("suffix", [".zip", ""])
def test_a_game_is_the_same_in_every_unicode_normalization(tmp_path: Path, suffix: str) -> None:
    name = unicodedata.normalize("NFC", "Málaga - Córdoba")
    labels, predictions = (unicodedata.normalize(form, name) for form in ("NFD", "NFC"))
    for folder, game, file in (("labels", labels, "Labels-ball.json"), ("made", predictions, "results.json")):
        touch(tmp_path / folder / "league" / game, file)
        if suffix:
            with zipfile.ZipFile(tmp_path / f"{folder}.zip", "w") as archive:
                archive.write(tmp_path / folder / "league" / game / file, f"league/{game}/{file}")
    found = gather_documents(tmp_path / f"labels{suffix}", "Labels-ball.json")
    made = gather_documents(tmp_path / f"made{suffix}", "results.json")
    assert pair_games(found, made) == {f"league/{name}": f"league/{name}"}
    assert document_folder(tmp_path / "labels", f"league/{name}") == tmp_path / "labels" / "league" / labels


def test_two_games_that_differ_only_in_normalization_are_refused(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        touch(tmp_path / unicodedata.normalize(form, "Málaga"), "results.json")
    with pytest.raises(DataError, match="differ only in how accents are stored"):
        gather_documents(tmp_path, "results.json")


def test_an_ambiguous_game_is_refused() -> None:
    with pytest.raises(DataError, match="a/game matches 2 games: one/a/game, two/a/game"):
        pair_games(["a/game"], ["one/a/game", "two/a/game"])
    with pytest.raises(DataError, match="game matches 2 games: one/game, two/game"):
        pair_games(["one/game", "two/game"], ["game"])


def _write(path: Path, content: str = "{}") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def _pack(archive: Path, *names: str, content: str = "{}" * 50) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            packed.writestr(name, content)
    return archive
