"""The command line. Each command parses its options and calls one function.

Heavy imports stand inside the commands, so that `bas --help` starts fast.
"""

# Importing a module registers its commands; `bas --help` lists them in this order.
# isort: off
from bas.cli import data, training, scoring, sharing, watching  # noqa: F401

# isort: on
from bas.cli.app import app, main

__all__ = ["app", "main"]
