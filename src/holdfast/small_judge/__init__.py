"""The small judge's insides: how replies become features, its weights, and how they are trained.

`holdfast.judges.small_judge` is the judge itself.
"""
