"""The script Streamlit runs for every visitor and rerun. Must hold nothing: see annot.web.pages."""

from annot.web.pages import show

show()
