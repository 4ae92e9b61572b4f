"""Commands about data and settings."""

__all__ = ["doctor", "extract", "settings"]
