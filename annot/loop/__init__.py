"""The use cases: the only place where the store meets the encoders, selectors, learners and quality.

Each module is one thing a person or the worker does. None of them knows of a browser or a command line.
"""
