"""One thread a process: tests fork, which threads of a parent do not survive, and run beside each other."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch


@pytest.fixture
def cuda() -> torch.device:
    """A CUDA device, or the end of the test: a failure where FAIL_WITHOUT_CUDA is set."""
    if not torch.cuda.is_available():
        if os.environ.get("FAIL_WITHOUT_CUDA"):
            pytest.fail("no CUDA device")
        pytest.skip("no CUDA device")
    return torch.device("cuda", 0)
