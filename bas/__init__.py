"""Ball action spotting: every pass, drive and shot of a soccer broadcast, to the frame."""

__version__ = "0.1.0"
