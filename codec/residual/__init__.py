"""Residual coders: how the difference between a picture and its prediction becomes levels, and back."""
