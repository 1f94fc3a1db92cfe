"""What is claimed of the lead's numbers, measured on projects replayed with gold labels: see docs/estimates.md.

Each study has ``measure``, which returns facts, and ``table``, which writes them down. Must not be imported by a use case.
"""
