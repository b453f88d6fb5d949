"""Sparse adaptation: which weights a tune may move, what it moved, and merging what tunes moved."""
