"""A threshold can be chosen again in whole and step graphs, and goes through quantization."""

import dataclasses

import numpy as np
import pytest
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.manifest import Manifest
from seqpress.exporters.quantize.contract import Calibration
from seqpress.exporters.quantize.registry import recipe, recipes
from seqpress.exporters.streaming import export_step
from seqpress.exporters.streaming_quantized import quantize_step
from seqpress.exporters.threshold import with_threshold
from seqpress.exporters.whole import export_whole
from task_networks import inputs, manifest, network


@pytest.fixture(scope="module")
def graphs():
    net = network("frames-surprise", hidden=64)
    about = manifest("frames-surprise", net)
    return export_whole(net, about), export_step(net, about)


def test_only_the_threshold_changes(graphs):
    for model in graphs:
        before, first = to_bytes(model), with_threshold(model, 0.25)
        assert Manifest.read(first).output.threshold == 0.25
        again = with_threshold(first, 3.0)
        assert Manifest.read(again).output == dataclasses.replace(Manifest.read(model).output, threshold=3.0)
        assert to_bytes(with_threshold(again, None)) == before == to_bytes(model)
        assert again.graph == model.graph


@pytest.mark.parametrize("name", recipes())
def test_recipes_keep_it(graphs, name):
    whole, step = (with_threshold(model, 0.25) for model in graphs)
    given = Calibration(inputs("frames-surprise", (20,) * 8))
    made = recipe(name)(whole, given)
    dataclasses.replace(Manifest.read(made.model), recipe=name).write(made.model)
    assert Manifest.read(made.model).output.threshold == 0.25
    assert Manifest.read(quantize_step(made.model, step, given)).output.threshold == 0.25


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_what_is_no_threshold_is_refused(graphs, value):
    with pytest.raises(ValueError, match="must be a number from 0"):
        with_threshold(graphs[0], value)


def test_a_model_without_scores_has_none():
    net = network("frames-tags")
    with pytest.raises(ValueError, match=r"must give scores to have a threshold\. Its outputs are 'probabilities'"):
        with_threshold(export_whole(net, manifest("frames-tags", net)), 1.0)
