"""Commands that pack results and import models."""

__all__ = ["import_weights", "submit"]
