"""small-text's query strategies: an adapter to cached arrays, the strategies by name, and what some of them lack. None is reimplemented."""
