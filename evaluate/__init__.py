"""From scores to detections to mAP@1, exactly as the challenge scores them.

metric        average precision, Team-mAP, tolerances: bit-exact with SoccerNet
formats       label and prediction files
scoring       documents or detections in, an Evaluation out
postprocess   scores to detections, and the search for its settings
submission    archives for the challenge server
analysis      numbers beside the official one
video         highlights and overlays
report        terminal tables, report.json, HTML page
"""

__all__ = [
    "analysis",
    "formats",
    "metric",
    "postprocess",
    "report",
    "scoring",
    "submission",
    "video",
]
