"""Which parameters of the real encoder learn, and how fast."""

import pytest

from annot import encoders
from annot.encoders import EncoderId
from annot.learners import tuning


@pytest.fixture(scope="module")
def base() -> EncoderId:
    return encoders.identify("all-minilm-l6-v2")


@pytest.mark.parametrize(("how", "tensors"), [("full", 16), ("lora", 12)])
def test_each_layer_learns_slower_than_the_one_above(base: EncoderId, how: str, tensors: int) -> None:
    model = tuning.prepare(encoders.load_parts(base)[0], how, 0.5)
    groups = tuning.parameter_groups(model, [], 1.0, 0.5)
    assert [group["lr"] for group in groups] == [1, 0.5, 0.25]
    assert [len(group["params"]) for group in groups][1:] == [tensors, tensors]
    assert sum(len(group["params"]) for group in groups) == sum(parameter.requires_grad for parameter in model.parameters())


def test_embeddings_learn_slowest_and_what_is_thrown_away_fastest(base: EncoderId) -> None:
    import torch

    model, layer = encoders.load_parts(base)[0], torch.nn.Linear(2, 2)
    groups = tuning.parameter_groups(tuning.prepare(model, "full", 0), list(layer.parameters()), 1.0, 0.5)
    assert [group["lr"] for group in groups] == [0.5**step for step in range(7)]
    assert groups[0]["params"][:2] == list(layer.parameters())
    assert {id(one) for one in groups[-1]["params"]} == {id(one) for one in model.embeddings.parameters()}


def test_without_decay_all_that_is_not_frozen_is_one_group(base: EncoderId) -> None:
    model = tuning.prepare(encoders.load_parts(base)[0], "full", 0.5)
    (group,) = tuning.parameter_groups(model, [], 1e-4, 1.0)
    assert group["lr"] == 1e-4
    assert {id(one) for one in group["params"]} == {id(one) for one in model.parameters() if one.requires_grad}
