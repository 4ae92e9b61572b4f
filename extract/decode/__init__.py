"""Video decoding on NVDEC or the CPU, to the same luma planes with their presentation times."""
