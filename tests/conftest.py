"""One thread per process: tests fork, which OpenMP threads do not survive, and run in parallel."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch


@pytest.fixture
def cuda() -> torch.device:
    """Return a CUDA device. Without one, skip the test, or fail it if FAIL_WITHOUT_CUDA is set."""
    if not torch.cuda.is_available():
        if os.environ.get("FAIL_WITHOUT_CUDA"):
            pytest.fail("no CUDA device")
        pytest.skip("no CUDA device")
    return torch.device("cuda", 0)
