"""Download, verification and unpacking of the SoccerNet datasets."""

from bas.dataset.download.edition import download

__all__ = ["download"]
