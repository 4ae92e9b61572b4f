"""The SoccerNet metrics: average precision, Team-mAP, tolerances."""
