"""Commands that make videos to watch, and the demo."""
