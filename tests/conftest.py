"""Fixtures of all tests. One thread per process: tests fork, which OpenMP threads do not survive, and run in parallel."""

from __future__ import annotations

import json
import os

os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from support import GOLDEN

from bas.evaluate.postprocess import search
from bas.files import locked
from bas.synthetic import synthesize
from bas.workspace import Workspace

pytest_plugins = ["faults.summary"]


@pytest.fixture
def cuda() -> torch.device:
    """Return a CUDA device. Without one, skip the test, or fail it if FAIL_WITHOUT_CUDA is set."""
    if not torch.cuda.is_available():
        if os.environ.get("FAIL_WITHOUT_CUDA"):
            pytest.fail("no CUDA device")
        pytest.skip("no CUDA device")
    return torch.device("cuda", 0)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder shared by all processes of one test run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def matches(shared: Path) -> Path:
    """A read-only data folder of three matches of 15 s, one per split."""
    folder = shared / "matches"
    with locked(shared / "matches.lock", wait=True):
        synthesize(folder, matches=3, minutes=0.25, size="224x128", profile="even", seed=3)
    return folder


@pytest.fixture(scope="session")
def short_search() -> Iterator[None]:
    """Shrink the grid of the search that ends every training; its own tests use the whole grid."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search, "_SIGMAS_S", (0.08, 0.16))
        patched.setattr(search, "_DISTANCES_S", (0.32, 0.64))
        patched.setattr(search, "_SUPPRESSIONS", ("linear",))
        yield


@pytest.fixture(scope="module")
def workspace(matches: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The shared matches and features, and a runs folder for the module."""
    (shared / "features").mkdir(exist_ok=True)
    return Workspace(matches, shared / "features", tmp_path_factory.mktemp("runs"), "cpu", "auto")


@pytest.fixture(scope="module")
def home(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder, with data, features and runs at the commands' default paths."""
    folder = tmp_path_factory.mktemp("home")
    for name, target in (
        ("data", workspace.data),
        ("features", workspace.features),
        ("runs", workspace.runs),
    ):
        (folder / name).symlink_to(target)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        yield folder


@pytest.fixture(scope="session")
def metric_golden() -> dict[str, Any]:
    """Numbers of SoccerNet 0.1.62 and sn-teamspotting, rounded to ten decimals."""
    result: dict[str, Any] = json.loads((GOLDEN / "metric_golden.json").read_text())
    return result


@pytest.fixture
def match_folders(tmp_path: Path, metric_golden: dict[str, Any]) -> tuple[Path, Path]:
    """The two games of the golden documents on disk: a folder of labels, and one of results."""
    labels, results = tmp_path / "labels", tmp_path / "results"
    for game, documents in metric_golden["documents"].items():
        (labels / game).mkdir(parents=True)
        (results / game).mkdir(parents=True)
        (labels / game / "Labels-ball.json").write_text(json.dumps(documents["labels"]))
        (results / game / "results_spotting.json").write_text(json.dumps(documents["results"]))
    return labels, results
