"""Measuring: metrics between pictures, and rate/distortion sweeps."""
