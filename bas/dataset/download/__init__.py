"""Download, verification and unpacking of the SoccerNet datasets."""

from bas.dataset.download.download import download

__all__ = ["download"]
