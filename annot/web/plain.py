"""Text from files, people and programs, made safe for Streamlit's elements, which read Markdown. Must not format anything itself."""

import re

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:&-])")


def plain(text: str) -> str:
    """Escape what Markdown would take for markup, so that the reader sees the text as it is."""
    return _MARKUP.sub(r"\\\1", text)
