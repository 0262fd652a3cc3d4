"""``lossless`` (spec 8.2): predictor, contexts and row coder."""
