"""What a browser sees: the API routes, the Streamlit pages and the labelling panel.

Must not import torch, transformers or sklearn, directly or through anything it imports; logic lives in annot.loop.
"""
