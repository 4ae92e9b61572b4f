"""From scores to events to mAP@1, exactly as the challenge scores them."""
