"""Start-up time of the command line."""

from __future__ import annotations

import subprocess
import sys
import time

from bas.console import show, table

_ROUNDS = 7


def main() -> None:
    """Print the best and the median of several starts."""
    rows = table("Start-up of the command line", "command", "best (s)", "median (s)")
    for arguments in ([], ["extract"], ["eval"]):
        command = [sys.executable, "-m", "bas", *arguments, "--help"]
        times = sorted(_seconds(command) for _ in range(_ROUNDS))
        rows.add_row(" ".join(["bas", *arguments, "--help"]), f"{times[0]:.2f}", f"{times[_ROUNDS // 2]:.2f}")
    show(rows)


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
