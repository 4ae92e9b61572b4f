"""Post-processing of scores to detections, and its search."""
