"""Videos for people: highlights and overlays."""
