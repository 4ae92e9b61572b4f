"""Commands that make videos to watch, and the demo."""

__all__ = ["clips", "demo", "render"]
