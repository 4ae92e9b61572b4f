"""Video files: opened safely, and timed without decoding a picture."""
