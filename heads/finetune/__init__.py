"""Joint training of encoder and head on clips of the video (stage 3)."""
