"""The same bits from the same work, so that a run that was killed ends as one that was not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def same_bits(device: torch.device) -> Iterator[None]:
    """Add gradients up in one order on the CPU, however many threads there are.

    Without it threads race in the backward pass of indexing. GPUs are left as they are: there indexing has an
    order, and some pooling has no other way.
    """
    switch: Any = torch.utils.deterministic  # whose attribute no stub knows
    before, filled = torch.are_deterministic_algorithms_enabled(), switch.fill_uninitialized_memory
    torch.use_deterministic_algorithms(before or device.type == "cpu")
    switch.fill_uninitialized_memory = False  # ours is written before it is read
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        switch.fill_uninitialized_memory = filled
