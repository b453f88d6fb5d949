"""Bodies of those verbs of the command line that belong to no other module."""
