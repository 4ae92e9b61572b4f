"""Scoring: documents or detections in, an Evaluation out."""
