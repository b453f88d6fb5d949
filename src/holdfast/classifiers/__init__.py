"""Classifiers of canary texts, trained in a second or two, and what is measured on classifiers."""
