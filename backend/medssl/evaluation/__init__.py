"""How good segmentations are: metrics of a case, summaries over cases, rankings."""
