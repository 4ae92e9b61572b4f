"""Stage 2: light temporal heads that train on cached rows."""
