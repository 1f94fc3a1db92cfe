"""How files are called that leave through the browser: project, what it is, and the day. Must not make any."""

import time

from annot.records import Project


def file_name(project: Project, what: str, suffix: str) -> str:
    """Return e.g. ``Customer-mail-labels-2026-11-29.csv``: no character that a file system takes for something else."""
    words = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in f"{project.name}-{what}")
    return f"{words}-{time.strftime('%Y-%m-%d')}{suffix}"
