"""Replaying a labelled data set as if a person labelled it: which strategy needs how many labels, measured before it is trusted.

The real selectors, self-training, head and fine-tuning, with gold labels as the annotator. Must not reimplement any of them, or open a
project's database.
"""
