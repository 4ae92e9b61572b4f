from __future__ import annotations

import multiprocessing
import operator
import os
import pickle  # noqa: TID251  (what a DataLoader does to a dataset)
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.caches import cache_attributes

from bas.config.extract import ExtractSettings
from bas.errors import DataError, MissingError
from bas.extract.cache.fingerprint import fingerprint_of
from bas.extract.cache.format import CacheAttributes
from bas.extract.cache.parts import hash_rows
from bas.extract.cache.reader import open_cache, verify
from bas.extract.cache.writer import write_cache
from bas.guarded.hdf5 import trailer

FINGERPRINT = fingerprint_of(ExtractSettings(), weights="ab")
SHAPE = (25, 3, 2, 2)
ATTRIBUTES = cache_attributes(
    fingerprint=FINGERPRINT.json,
    num_frames=50,
    segment_rows=10,
    video_bytes=12345,
    video_sha256="cd" * 32,
    time_base="1/1000",
    origin_pts=80,
    expected=50,
    missing=1,
    versions="bas 0",
)
ROWS = np.random.default_rng(0).normal(size=SHAPE).astype("<f2")
VALID = np.arange(25) != 7


def write(path: Path, attributes: CacheAttributes = ATTRIBUTES) -> Path:
    segments = [ROWS[i : i + 10] for i in range(0, 25, 10)]
    write_cache(
        path,
        attributes,
        row_shape=SHAPE[1:],
        pts=80 + 40 * np.arange(50),
        valid=VALID,
        segment_sha256=tuple(hash_rows(rows) for rows in segments),
        segments=iter(segments),
    )
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "v.h5")


def test_rows_times_and_flags_are_read_as_written(path: Path) -> None:
    cache = open_cache(path, fingerprint=FINGERPRINT)
    assert np.array_equal(cache.features, ROWS)
    assert np.array_equal(cache.valid, VALID)
    assert cache.pts[[0, 1, 49]].tolist() == [80, 120, 2040]
    assert (cache.hop, cache.rate, cache.row_rate, cache.num_frames) == (2, Fraction(25), Fraction(25, 2), 50)
    assert cache.header.attributes == ATTRIBUTES
    assert len(cache) == 25
    assert verify(path) == ()


def test_it_is_a_plain_hdf5_file(path: Path) -> None:
    with h5py.File(path) as file:
        assert np.array_equal(file["features"], ROWS)
        assert np.array_equal(file["valid"], VALID)
        assert file.attrs["fingerprint"].decode() == FINGERPRINT.json


def test_the_same_rows_give_the_same_bytes_at_any_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    import time

    time.sleep(1.1)  # HDF5 keeps times in seconds
    assert write(path.with_name("other.h5")).read_bytes() == before


def test_files_have_equal_identities_only_if_they_are_equal(path: Path) -> None:
    assert open_cache(write(path.with_name("same.h5"))).identity == open_cache(path).identity
    other = write(path.with_name("other.h5"), replace(ATTRIBUTES, origin_pts=0))
    assert open_cache(other).identity != open_cache(path).identity


def test_a_window_is_a_view_of_the_map(path: Path) -> None:
    features = open_cache(path).features
    assert np.shares_memory(features[2:12:2], features)
    with pytest.raises(ValueError, match="read-only"):
        features[0] = 0


@pytest.mark.fault("C06", "P12")
def test_another_fingerprint_is_refused_and_both_are_shown(path: Path) -> None:
    expected = replace(FINGERPRINT, hop=4)
    with pytest.raises(DataError) as caught:
        open_cache(path, fingerprint=expected)
    assert FINGERPRINT.json in str(caught.value)
    assert expected.json in str(caught.value)


def test_a_missing_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"Missing feature cache .*none\.h5\. Run `bas extract`"):
        open_cache(tmp_path / "none.h5")


@pytest.mark.fault("C03")
def test_an_incomplete_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not complete"):
        open_cache(write(tmp_path / "v.h5", replace(ATTRIBUTES, complete=0)))


@pytest.mark.fault("C03")
def test_a_damaged_segment_is_reported_with_its_time(path: Path) -> None:
    offset = open_cache(path).header.offset
    content = bytearray(path.read_bytes())
    content[offset + 24 * 13] ^= 1
    path.write_bytes(content)
    (span,) = verify(path)
    assert (span.segment, span.rows, span.start_ms, span.stop_ms) == (1, range(10, 20), 800, 1600)
    assert str(span) == "00:00-00:01"


def has_wrong_rows(path: Path) -> bool:
    """Whether anything differs from what was written, except the rows of spans reported as damaged."""
    try:
        damaged = verify(path)
        cache = open_cache(path)
    except DataError:
        return False
    rows = np.array(cache.features)
    for span in damaged:
        rows[span.rows.start : span.rows.stop] = ROWS[span.rows.start : span.rows.stop]
    return not (
        np.array_equal(rows.view(np.uint16), ROWS.view(np.uint16))
        and np.array_equal(cache.valid, VALID)
        and cache.header.attributes == ATTRIBUTES
        and cache.pts.tolist() == (80 + 40 * np.arange(50)).tolist()
    )


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write(tmp_path_factory.mktemp("cache") / "v.h5").read_bytes()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch") / "v.h5"


@pytest.mark.fault("C03")
@given(data=st.data())
@hypothesis_settings(max_examples=300, deadline=None)
def test_no_damage_anywhere_yields_wrong_rows(content: bytes, scratch: Path, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(content) - 1))
    match data.draw(st.sampled_from(["flip", "cut", "zero", "grow", "swap"])):
        case "flip":
            bit = 1 << data.draw(st.integers(0, 7))
            changed = content[:position] + bytes([content[position] ^ bit]) + content[position + 1 :]
        case "cut":
            changed = content[:position]
        case "zero":
            length = min(data.draw(st.integers(1, 4096)), len(content) - position)
            changed = content[:position] + bytes(length) + content[position + length :]
        case "grow":
            changed = content[:position] + bytes(data.draw(st.integers(1, 64))) + content[position:]
        case _:
            changed = content[position:] + content[:position]
    scratch.write_bytes(changed)
    assert not has_wrong_rows(scratch)


@pytest.mark.fault("C03", "S04")
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_the_header_or_trailer_is_refused_before_hdf5_sees_it(
    content: bytes, scratch: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    scratch.write_bytes(content)
    header_bytes = open_cache(scratch).header.offset
    positions = [*range(0, header_bytes, step), *range(len(content) - 48, len(content))]
    monkeypatch.setattr(h5py, "File", lambda *_, **__: pytest.fail("HDF5 was asked"))
    for position in positions:
        scratch.write_bytes(
            content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]
        )
        with pytest.raises(DataError):
            open_cache(scratch)


def forge(path: Path, spoil: Callable[[h5py.File], None]) -> Path:
    """Write a file with a valid trailer, as a malicious one would have, and apply `spoil` to its HDF5 content."""
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        for name, value in ((name, getattr(ATTRIBUTES, name)) for name in CacheAttributes.__annotations__):
            file.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
        file["pts"], file["valid"] = np.arange(50), VALID
        file["segment_sha256"] = np.zeros((3, 32), np.uint8)
        file["features"] = ROWS
        spoil(file)
    with path.open("ab") as stream:
        stream.write(trailer(path.read_bytes()))
    return path


def remake(name: str, **options: Any) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        del file[name]
        file.create_dataset(name, **options)

    return spoil


def relink(name: str, link: Any) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        del file[name]
        file[name] = link

    return spoil


def virtual(file: h5py.File) -> None:
    del file["features"]
    layout = h5py.VirtualLayout(SHAPE, "<f2")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "features", SHAPE)
    file.create_virtual_dataset("features", layout)


def variable_length_string(file: h5py.File) -> None:
    file.attrs["fingerprint"] = FINGERPRINT.json


HOSTILE: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "external storage": (
        remake("features", shape=SHAPE, dtype="<f2", external=[("/etc/hostname", 0, 10000)]),
        "stored in one piece in this file",
    ),
    "external storage of times": (
        remake("pts", shape=(50,), dtype="<i8", external=[("/etc/hostname", 0, 400)]),
        "stored in one piece in this file",
    ),
    "external link": (
        relink("features", h5py.ExternalLink("elsewhere.h5", "/features")),
        "link to elsewhere",
    ),
    "soft link": (relink("pts", h5py.SoftLink("/valid")), "link to elsewhere"),
    "virtual": (virtual, "stored in one piece in this file"),
    "compressed": (remake("features", data=ROWS, compression="gzip"), "stored in one piece in this file"),
    "huge shape": (
        remake("features", shape=(25, 1 << 20, 1 << 10, 64), dtype="<f2"),
        "do not begin|stored in one piece",
    ),
    "huge times": (remake("pts", shape=(1 << 38,), dtype="<i8"), "stored in one piece|shape"),
    "other number type": (remake("features", data=ROWS.astype("<f4")), "features is float32"),
    "objects": (
        remake("valid", data=np.array(["x"] * 25, object), dtype=h5py.string_dtype()),
        "valid is object",
    ),
    "string of variable length": (variable_length_string, "attribute fingerprint is of type object"),
    "additional dataset": (
        lambda file: file.create_dataset("more", data=[1]),
        "unexpected or missing datasets",
    ),
}


@pytest.mark.fault("C11", "S05")
@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.fault("S02")) if kind == "objects" else kind for kind in HOSTILE],
)
def test_a_hostile_file_is_refused(tmp_path: Path, kind: str) -> None:
    spoil, message = HOSTILE[kind]
    with pytest.raises(DataError, match=message):
        open_cache(forge(tmp_path / "v.h5", spoil))


@pytest.mark.fault("C08")
def test_a_forked_process_creates_its_own_memory_map(path: Path) -> None:
    cache = open_cache(path)
    parent_map = id(cache.features)
    child = os.fork()
    if child == 0:
        is_correct = id(cache.features) != parent_map and np.array_equal(cache.features, ROWS)
        os._exit(0 if is_correct else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.fault("C08")
def test_a_spawned_process_creates_its_own_memory_map(path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(operator.attrgetter("features"), (open_cache(path),)), ROWS)


@pytest.mark.fault("C08")
def test_pickling_drops_the_map(path: Path) -> None:
    cache = open_cache(path)
    _ = cache.features
    content = pickle.dumps(cache)
    assert len(content) < 4000
    assert np.array_equal(pickle.loads(content).features, ROWS)


def test_replacing_a_file_does_not_affect_an_open_cache(path: Path) -> None:
    features = open_cache(path).features
    write(path, replace(ATTRIBUTES, origin_pts=0))
    assert np.array_equal(features, ROWS)
