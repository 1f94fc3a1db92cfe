"""The report on a project, made in the background for its lead: look, judge, compare with random labelling, look ahead, find what is wrong.

``making`` calls the others in turn and keeps the result, a ``record``. None of them decides what is asked or published.
"""
