"""Showing: plots and pages."""
