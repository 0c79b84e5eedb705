"""Comparisons that anyone repeats with one command, one file or folder each."""
