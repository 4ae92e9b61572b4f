from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from support.matches import touch

from bas.config.extract import ExtractSettings
from bas.extract.cache.fingerprint import cache_path, fingerprint_of
from bas.types import Game, Video

INCLUDED: dict[str, object] = {
    "clock": "30",
    "encoder": "resnet18",
    "stack": (-1, 0, 1),
    "hop": 3,
    "height": 224,
    "width": 398,
    "grid": (3, 5),
    "flip": True,
    "normalize": True,
    "time_origin": "zero",
}
EXCLUDED: dict[str, object] = {
    "weights": "elsewhere.safetensors",
    "seed": 7,
    "video": "224p",
    "precision": "fp32",
    "batch": 7,
    "segment_seconds": 30,
    "on_bad_video": "skip",
}


@pytest.mark.fault("C06", "P12")
@pytest.mark.parametrize("name", INCLUDED)
def test_a_setting_that_changes_the_rows_changes_the_fingerprint(name: str) -> None:
    changed = ExtractSettings().model_copy(update={name: INCLUDED[name]})
    before, after = (fingerprint_of(s, weights="ab") for s in (ExtractSettings(), changed))
    assert before.json != after.json
    assert before.key != after.key


@pytest.mark.parametrize("name", EXCLUDED)
def test_a_setting_that_does_not_change_the_rows_does_not_change_the_fingerprint(name: str) -> None:
    changed = ExtractSettings().model_copy(update={name: EXCLUDED[name]})
    assert fingerprint_of(changed, weights="ab") == fingerprint_of(ExtractSettings(), weights="ab")


def test_every_setting_is_either_included_in_the_fingerprint_or_excluded() -> None:
    assert set(INCLUDED) | set(EXCLUDED) == set(ExtractSettings.model_fields)


def test_an_explicit_time_origin_of_start_keeps_the_fingerprint() -> None:
    explicit = ExtractSettings(time_origin="start")
    assert fingerprint_of(explicit, weights="ab") == fingerprint_of(ExtractSettings(), weights="ab")


@pytest.mark.fault("C06", "P12")
def test_different_weights_have_different_fingerprints() -> None:
    one, other = (fingerprint_of(ExtractSettings(), weights=text).key for text in ("ab", "cd"))
    assert one != other


def test_the_key_names_encoder_grid_and_hop_and_never_changes() -> None:
    key = fingerprint_of(ExtractSettings(), weights="ab" * 32).key
    assert key == "tf_efficientnetv2_b0.in1k-6x10-hop2-e7417633"


def test_the_json_is_canonical() -> None:
    text = fingerprint_of(ExtractSettings(), weights="ab").json
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_a_hub_name_creates_no_nested_folders() -> None:
    settings = ExtractSettings(encoder="hf-hub:some/model")
    assert fingerprint_of(settings, weights="ab").key.startswith("hf-hub_some_model-6x10-hop2-")


def test_a_cache_lies_in_the_folder_of_its_key_and_game_and_is_named_after_its_video() -> None:
    fingerprint = fingerprint_of(ExtractSettings(), weights="ab")
    game = Game("league/season/match", (Video(Path("data/1_720p.mkv"), 1),), None)
    path = cache_path(Path("features"), fingerprint, game, game.videos[0])
    assert path == Path("features", fingerprint.key, "league/season/match/1_720p.h5")


def test_a_cache_below_a_decomposed_name_is_still_found(tmp_path: Path) -> None:
    """Game ids were as on disk; now their accents are composed."""
    composed, decomposed = (unicodedata.normalize(form, "cup/Málaga") for form in ("NFC", "NFD"))
    fingerprint = fingerprint_of(ExtractSettings(), weights="ab")
    game = Game(composed, (Video(Path("a.mp4"), 1),), None)
    new = cache_path(tmp_path, fingerprint, game, game.videos[0])
    assert new == tmp_path / fingerprint.key / composed / "a.h5"
    old = touch(tmp_path / fingerprint.key / decomposed, "a.h5") / "a.h5"
    assert cache_path(tmp_path, fingerprint, game, game.videos[0]) == old
