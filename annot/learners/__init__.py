"""What learns: the head on cached vectors, refitted after every label, and the fine-tuning of the encoder itself.

torch and sklearn are imported inside functions, so that naming a recipe or loading a head costs nothing. Must not read the store,
choose what is labelled, or judge itself.
"""
