"""The baseline of ``bench panel``: the same items with native Streamlit buttons and their keyboard shortcuts, one rerun a press.

Started by the benchmark with ``streamlit run``, on a workspace with one project and one account. Must not use the panel or the API.
"""

import uuid

import streamlit as st

from annot.loop import labelling
from annot.records import Event, Kind
from annot.settings import workspace
from annot.store import Store


def answer(label: int) -> None:
    lease = st.session_state.lease
    event = Event(uuid.uuid4().hex, Kind.LABEL, lease.item, (label,), lease=lease.id)
    with Store(workspace().database) as store:
        st.session_state.lease = labelling.sync(store, project, user, "native", events=[event], hold=[], want=1).leases[0]


with Store(workspace().database) as store:
    project = store.projects.all()[0]
    user = store.accounts.find("bench")
    labels = store.projects.labels(project.id)
    if "lease" not in st.session_state:
        st.session_state.lease = labelling.sync(store, project, user, "native", events=[], hold=[], want=1).leases[0]

with st.container(key="native-item"):
    st.text(str(st.session_state.lease.item))
st.text(st.session_state.lease.text)
for label in labels:
    st.button(label.title, key=f"label-{label.id}", shortcut=label.key, on_click=answer, args=(label.id,))
