"""Download, verification and unpacking of the SoccerNet datasets."""
