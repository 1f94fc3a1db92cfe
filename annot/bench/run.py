"""One fine-tuning against transformers' own Trainer at the same steps and batch, and against what the machine could do at most.

The baseline fine-tunes all layers as a classifier in fp32, as its examples do; ours is the project's default recipe. Work is counted
without padding: a forward pass through every layer, and twice that backwards through the layers that learn.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from annot import encoders
from annot.bench import _ceiling
from annot.bench import _command as command
from annot.encoders import EncoderId
from annot.learners.finetune import Recipe, finetune


def main(arguments: list[str]) -> int:
    parser = command.parser("run", __doc__)
    parser.add_argument("--data", type=Path, help="folder with train.csv.gz (default: made-up texts of about 50 tokens)")
    parser.add_argument("--texts", type=int, default=130)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="times each is measured, in turn; the median counts")
    parser.add_argument("--encoder", default="all-minilm-l6-v2")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the worker starts its children, and before torch is loaded
    with tempfile.TemporaryDirectory(prefix="annot-bench-") as folder:
        result = measure(options, Path(folder))
    return command.report(result, options)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    device = encoders.best_device()
    texts = _ceiling.texts(options.data, options.texts)
    base, recipe = encoders.identify(options.encoder), Recipe(steps=options.steps)
    labels = np.arange(len(texts)) % 4
    ceilings: list[float] = []
    ours_s, theirs_s, _ = _ceiling.interleaved(
        options.rounds,
        lambda: finetune(base, texts, np.eye(4)[labels], None, recipe, folder / "ours"),
        lambda: trainer(base, texts, labels.tolist(), recipe, folder / "theirs"),
        lambda: ceilings.append(_ceiling.gflops(device, encoders.fast_dtype(device))),
    )
    model, tokenizer = encoders.load_parts(base)
    lengths = [len(one) for one in encoders.tokenize(tokenizer, texts, recipe.max_tokens)]
    seen = recipe.steps * recipe.batch
    # Forward through all, backward (twice the work) through what learns.
    passes = 1 + 2 * (1 - recipe.frozen_share)
    done = passes * _ceiling.work(model, lengths) / len(texts) * seen / ours_s / 1e9
    ceiling = float(np.median(ceilings))
    return {
        "texts": len(texts),
        "steps": recipe.steps,
        "batch": recipe.batch,
        "tokens_per_text": round(float(np.mean(lengths)), 1),
        "seconds": round(ours_s, 2),
        "examples_per_s": round(seen / ours_s, 1),
        "baseline_examples_per_s": round(seen / theirs_s, 1),
        "ratio_to_baseline": round(theirs_s / ours_s, 2),
        "gflops": round(done, 1),
        "ceiling_gflops": round(ceiling, 1),
        "share_of_ceiling": round(done / ceiling, 3),
        **_ceiling.machine(device),
    }


def trainer(base: EncoderId, texts: list[str], labels: list[int], recipe: Recipe, out: Path) -> None:
    """Fine-tune as transformers' text classification example does."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        PrinterCallback,
        Trainer,
        TrainingArguments,
    )

    tokenizer = AutoTokenizer.from_pretrained(base.path, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(base.path, num_labels=max(labels) + 1, local_files_only=True)
    cut = tokenizer(texts, truncation=True, max_length=recipe.max_tokens)
    arguments = TrainingArguments(
        str(out),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=encoders.best_device() == "cuda",
    )
    rows = [{"input_ids": ids, "labels": label} for ids, label in zip(cut["input_ids"], labels, strict=True)]
    training = Trainer(model, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer))
    training.remove_callback(PrinterCallback)
    training.train()
    model.save_pretrained(out)
