"""The command line. Each command parses its options and calls one function.

Heavy imports stand inside the commands, so that `bas --help` starts fast.
"""

# Importing a module registers its commands; `bas --help` lists them in this order.
from bas.cli import data, scoring, training, watching  # noqa: F401
from bas.cli.app import app, main

__all__ = ["app", "main"]
