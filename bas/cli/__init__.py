"""The command line: parses, calls one function, prints. Heavy imports stand inside the commands."""

from bas.cli import data, fit, score, watch  # noqa: F401 - which hang their commands under the roof, in this order
from bas.cli.roof import app, main

__all__ = ["app", "main"]
