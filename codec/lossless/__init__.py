"""``lossless`` (spec 9): predictor, contexts and row coder."""
