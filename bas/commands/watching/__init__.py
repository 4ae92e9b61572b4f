"""Commands that make videos to watch, and the demo."""

__all__ = ["analyzed_videos", "clips", "demo", "render"]
