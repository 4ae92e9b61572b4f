"""Model folders are read only if their weights and config are what was written."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support import GOLDEN

import bas
from bas.errors import BasError, DataError
from bas.heads.interop.model_folder import load_single_model, read_config, write_config, write_model
from bas.heads.training.warm_start import matching_tensors

_OLD = GOLDEN / "format_1"  # without a hash of its weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path, load_single_model(_OLD, device="cpu"), metrics={}, data={})
    return tmp_path


def _flip_a_weight(folder: Path) -> None:
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def test_a_model_is_read_as_it_was_written(folder: Path) -> None:
    expected = load_single_model(_OLD, device="cpu").state_dict()
    found = load_single_model(folder, device="cpu").state_dict()
    assert found.keys() == expected.keys()
    assert all(bool((found[name] == expected[name]).all()) for name in expected)


@pytest.mark.fault("T02")
def test_one_flipped_bit_in_the_weights_is_noticed_wherever_they_are_used(folder: Path) -> None:
    head = load_single_model(folder, device="cpu").head
    _flip_a_weight(folder)
    with pytest.raises(DataError, match=r"model.safetensors .* SHA-256 differs .*Copy the folder again"):
        bas.load_model(folder)
    with pytest.raises(DataError, match="SHA-256 differs"):
        matching_tensors(head, folder, classes=("PASS", "DRIVE"))


def test_a_new_config_keeps_the_hash_of_the_weights(folder: Path) -> None:
    write_config(folder, read_config(folder))
    _flip_a_weight(folder)
    with pytest.raises(DataError, match="SHA-256 differs"):
        bas.load_model(folder)


def test_the_model_of_an_earlier_version_has_no_hash(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(_OLD / name, tmp_path)
    assert "sha256" not in read_config(tmp_path)
    bas.load_model(tmp_path)


_WRONG: dict[str, Any] = {
    "reads": "pictures",
    "classes": [],
    "learned": {"a": 1},
    "metrics": [],
    "data": None,
    "settings": {"peaks": {}},
    "tuning": {"games": "all"},
    "members": [{"folder": "../../other", "weight": 1}],
    "bas": 3,
}


@pytest.mark.parametrize(
    "text", ["[]", "null", "{}", "7", '"a"', '{"format": 2}', '{"format": 1, "settings": {}}']
)
def test_a_config_of_another_shape_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(DataError, match="config.json does not describe a model"):
        read_config(folder)


@pytest.mark.fault("S11")
@pytest.mark.parametrize("key", _WRONG)
def test_a_config_with_a_part_of_another_shape_is_refused(folder: Path, key: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: _WRONG[key]}))
    with pytest.raises(DataError, match="config.json does not describe a model"):
        bas.load_model(folder)


@pytest.mark.parametrize("key", ["reads", "classes", "metrics", "data", "settings", "bas"])
def test_a_config_without_a_part_is_refused(folder: Path, key: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config[key]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match="config.json does not describe a model"):
        bas.load_model(folder)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a document is."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _places(one, (*path, key))


def test_a_config_with_any_value_replaced_is_loaded_or_refused(folder: Path) -> None:
    whole = (folder / "config.json").read_text()
    random = Random(0)
    values: tuple[Any, ...] = (None, [], {}, -1, "x", True, 1e308, [[]], {"a": 1}, 10**400, ["a"], [1])
    jobs = [(path, value) for path in _places(json.loads(whole)) if path for value in values]
    for path, value in random.sample(jobs, 200):
        config = json.loads(whole)
        within = config
        for key in path[:-1]:
            within = within[key]
        within[path[-1]] = value
        (folder / "config.json").write_text(json.dumps(config))
        with contextlib.suppress(BasError):  # anything else is a traceback
            bas.load_model(folder)
