"""Holdfast: does a language model keep its safeguards when somebody fine-tunes it?"""

__version__ = "0.1.0"
