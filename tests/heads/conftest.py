"""Rendered matches and cached rows that the tests of this room share, and a short search of post-processing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bas.evaluate import search
from bas.files import locked
from bas.heads.lessons import Place
from bas.synthetic import synthesize


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of one test run see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def matches(shared: Path) -> Path:
    """A data folder of three matches of 15 s, one a split; it is read, never written."""
    folder = shared / "matches"
    with locked(shared / "matches.lock", wait=True):
        synthesize(folder, matches=3, minutes=0.25, size="224x128", profile="even", seed=3)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _short_search() -> Iterator[None]:
    """Every training ends with a search of post-processing, whose own tests try the whole grid."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search, "_SIGMAS_S", (0.08, 0.16))
        patched.setattr(search, "_DISTANCES_S", (0.32, 0.64))
        patched.setattr(search, "_SUPPRESSIONS", ("linear",))
        yield


@pytest.fixture(scope="module")
def place(matches: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The matches, their rows, and runs of the module's own."""
    (shared / "features").mkdir(exist_ok=True)
    return Place(matches, shared / "features", tmp_path_factory.mktemp("runs"), "cpu", "auto")


@pytest.fixture(scope="module")
def home(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder at work, where the commands' defaults find data, features and runs."""
    folder = tmp_path_factory.mktemp("home")
    for name, target in (("data", place.data), ("features", place.features), ("runs", place.runs)):
        (folder / name).symlink_to(target)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        yield folder
