"""Pictures: planes and formats, colour transforms, and sequences of pictures in files."""
