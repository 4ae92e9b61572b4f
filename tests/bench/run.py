"""`make bench`: a description of the machine, then all benchmarks in turn."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

from bas.console import info, show

_PACKAGES = ("bas", "torch", "timm", "av", "h5py", "numpy")


def main() -> None:
    """Print the machine and package versions, then run every `bench_*.py` in this folder."""
    show(_machine(), "")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # for `support`
    for script in sorted(Path(__file__).parent.glob("bench_*.py")):
        info(f"{script.name} ...")
        subprocess.run([sys.executable, str(script)], check=True, env=environment)
        show("")


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = {line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")}
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return "\n".join(
        [
            f"{os.cpu_count()} cores ({', '.join(models) or platform.processor()}), {', '.join(gpus) or 'no GPU'}",
            f"Python {platform.python_version()}, "
            + ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        ]
    )


if __name__ == "__main__":
    main()
