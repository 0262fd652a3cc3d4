"""Motion: the fields that are coded, the prediction they define, and the encoder's searches."""
