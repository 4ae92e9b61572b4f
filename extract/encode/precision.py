"""Compute precision of the encoder: fp32, or bf16 if the hardware has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]

_CPU_INFO = Path("/proc/cpuinfo")


def best_precision(requested: Literal["auto", "fp32", "bf16"], device: torch.device | str) -> Precision:
    """Resolve `auto` on this machine: bf16 if the hardware computes in it natively, else fp32."""
    import torch

    if requested != "auto":
        return requested
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    flags = _CPU_INFO.read_text() if _CPU_INFO.exists() else ""
    return "bf16" if "avx512_bf16" in flags or "amx_bf16" in flags else "fp32"
