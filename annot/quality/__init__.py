"""What may be said about quality, from labels the model did not choose, and how sure it is.

Pure functions over arrays. Must not read the store, and must not be given actively chosen labels to call the result quality.
"""

from annot.quality.estimates import Interval, accuracy, macro_f1, paired_difference, wilson

__all__ = ["Interval", "accuracy", "macro_f1", "paired_difference", "wilson"]
