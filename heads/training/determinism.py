"""Deterministic CPU gradients, so that an interrupted run ends with the same bits as an uninterrupted one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def deterministic_on_cpu(device: torch.device) -> Iterator[None]:
    """Accumulate gradients on the CPU in a fixed order, for any number of threads.

    By default threads race in the backward pass of indexing. GPUs are not changed: there, indexing is
    deterministic, and some pooling has no deterministic implementation.
    """
    switch: Any = torch.utils.deterministic  # the stubs lack its attribute
    before, filled = torch.are_deterministic_algorithms_enabled(), switch.fill_uninitialized_memory
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    switch.fill_uninitialized_memory = False  # bas writes tensors before it reads them
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        switch.fill_uninitialized_memory = filled
