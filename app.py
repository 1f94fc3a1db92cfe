"""The ASGI app: Streamlit's pages and Annot's routes on one port. ``streamlit run app.py`` starts it. Must stay this short."""

from pathlib import Path

import streamlit as st

from annot.web.api import routes
from annot.web.lifespan import hold_open

app = st.App(Path(__file__).parent / "annot" / "web" / "pages" / "entry.py", routes=routes, lifespan=hold_open)
