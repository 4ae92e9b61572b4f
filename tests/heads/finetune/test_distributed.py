"""Processes of one training wait for each other, and end together."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from support import ROOT
from support.killing import end_of, start_two

from bas.errors import BasError, DataError
from bas.heads.finetune import distributed
from bas.heads.finetune.distributed import init_distributed

_CPU = torch.device("cpu")


@pytest.mark.fault("T12")
def test_the_others_wait_for_process_0_longer_than_a_step_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "_STEP_TIMEOUT", timedelta(seconds=1))

    def evaluate() -> str:
        time.sleep(2.5)
        return "scores"

    def work(rank: int) -> None:
        with init_distributed(_CPU) as context:
            assert context.broadcast(evaluate) == "scores"
            assert context.all_reduce_sum([1.0]) == [2.0]

    assert [end_of(child) for child in start_two(work)] == [0, 0]


@pytest.mark.fault("T14")
def test_an_error_in_one_process_ends_the_other_with_it(tmp_path: Path) -> None:
    def work(rank: int) -> None:
        try:
            with init_distributed(_CPU) as context:
                if rank == 1:
                    raise DataError("match 7 has no labels")
                context.all_reduce_sum([1.0])
        except BasError as error:
            (tmp_path / str(rank)).write_text(str(error))
            raise

    assert [end_of(child) for child in start_two(work)] == [70, 65]
    assert "process 1: match 7 has no labels" in (tmp_path / "0").read_text()


@pytest.mark.fault("S16")
def test_the_documentation_asks_for_a_private_network() -> None:
    text = (ROOT / "heads" / "README.md").read_text()
    section = text.partition("### Several GPUs")[2].partition("### ")[0]
    assert "private network" in section
