"""A small image classifier to poison and to guard, apart from all that knows language."""
