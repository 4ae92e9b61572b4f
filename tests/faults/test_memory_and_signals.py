"""A run that runs out of memory, or is stopped outside of its training steps, ends with advice and a record."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.runs import HOME, small_run

from bas.commands.training import fit_head
from bas.errors import RunFailedError, explained, is_out_of_memory
from bas.heads.training.feature_bank import FeatureBank
from bas.signals import Terminated, terminate_on_signals

_TOO_MANY_BYTES = 1 << 50


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: bytearray(_TOO_MANY_BYTES),
        lambda: np.empty(_TOO_MANY_BYTES),
        lambda: torch.empty(_TOO_MANY_BYTES),
    ],
    ids=["Python", "NumPy", "torch"],
)
def test_memory_that_runs_out_is_recognized(allocate: Callable[[], Any]) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as caught:
        allocate()
    assert is_out_of_memory(caught.value)
    assert isinstance(explained(caught.value), RunFailedError)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert explained(RuntimeError("shapes do not match")) is None


@pytest.mark.fault("T07")
@pytest.mark.usefixtures("home")
def test_a_training_step_without_memory_advises_a_smaller_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FeatureBank, "windows", lambda *_: np.empty(_TOO_MANY_BYTES))
    with pytest.raises(RunFailedError, match=r"Out of memory.*--set fit\.batch=16 instead of 32"):
        small_run(HOME, "linear", "fit.seed=11")
    assert _status()["state"] == "failed"
    assert _status()["code"] == RunFailedError.exit_code


@pytest.mark.fault("T09")
@pytest.mark.usefixtures("home", "short_search")
def test_a_run_that_is_stopped_while_it_tunes_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched, terminate_on_signals():
        patched.setattr(fit_head, "show_tuning", stopped)
        with pytest.raises(Terminated):
            small_run(HOME, "linear", "fit.seed=12")
    assert (_status()["state"], _status()["code"]) == ("stopped", 75)
    small_run(HOME, "linear", "fit.seed=12")
    assert _status()["state"] == "done"


def _status() -> dict[str, Any]:
    newest = max(Path("runs").glob("*/STATUS.json"), key=lambda path: path.stat().st_mtime_ns)
    status: dict[str, Any] = json.loads(newest.read_text())
    return status
