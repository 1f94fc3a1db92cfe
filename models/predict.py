"""Predict labels with this model: texts as arguments, or one a line on standard input. In a program: Model().predict(texts).

Needs numpy, torch and transformers, and no network. Written beside the model by Annot; card.json says what it learned and how good it is.
Prints the labels, the probability of the likeliest, and the text, with tabs between.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).resolve().parent


class Model:
    """The encoder with its head. ``labels`` are the label names, in the order of the columns of ``probabilities``."""

    def __init__(self, folder: Path = HERE) -> None:
        self.card = json.loads((folder / "card.json").read_text("utf-8"))
        self.labels = [label["name"] for label in json.loads((folder / "labels.json").read_text("utf-8"))]
        encoder = folder / self.card["encoder"]["folder"]
        self._tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
        self._model = AutoModel.from_pretrained(encoder, local_files_only=True, dtype=torch.float32).eval()
        with np.load(folder / "head.npz") as head:
            self._weights, self._bias = head["weights"], head["bias"]

    def predict(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the labels of each text: the likeliest, or where several may hold all above one half."""
        return [self.chosen(row) for row in self.probabilities(texts)]

    def probabilities(self, texts: Sequence[str], batch: int = 32) -> np.ndarray:
        """Return (n, k) probabilities; a label that nobody had given when the model learned has 0."""
        found = [self._scores(list(texts[start : start + batch])) for start in range(0, len(texts), batch)]
        return np.concatenate(found) if found else np.empty((0, len(self.labels)), np.float32)

    def chosen(self, row: np.ndarray) -> list[str]:
        """Return the labels that one row of probabilities stands for."""
        places = [int(row.argmax())] if self.card["exclusive"] else np.flatnonzero(row > 0.5).tolist()
        return [self.labels[place] for place in places]

    def _scores(self, texts: list[str]) -> np.ndarray:
        logits = self._vectors(texts) @ self._weights.T + self._bias
        if not self.card["exclusive"]:
            return 1 / (1 + np.exp(-logits))
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def _vectors(self, texts: list[str]) -> np.ndarray:
        most, pooling = self.card["encoder"]["max_tokens"], self.card["encoder"]["pooling"]
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=most, return_tensors="pt")
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        if pooling == "cls":
            pooled = hidden[:, 0]
        elif pooling == "max":
            pooled = hidden.masked_fill(mask == 0, float("-inf")).max(dim=1).values
        else:
            pooled = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(pooled, dim=1).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="left out: the lines of standard input, as in predict.py < texts.txt")
    texts = parser.parse_args().texts or [line.rstrip("\n") for line in sys.stdin]
    model = Model()
    for text, row in zip(texts, model.probabilities(texts), strict=True):
        print(f"{', '.join(model.chosen(row)) or '(none of these)'}\t{row.max():.2f}\t{text}")


if __name__ == "__main__":
    main()
