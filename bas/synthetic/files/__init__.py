"""Files of a synthetic match: H.264 video, labels, folders and names."""
