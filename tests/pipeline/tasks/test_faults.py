"""Data that does not fit a task is refused in words."""

from dataclasses import replace

import numpy as np
import pytest
from seqpress.pipeline.errors import ConfigError, InputRejected
from seqpress.pipeline.tasks.registry import task
from toy_tasks import TOYS, toy, toy_dataset


def refused(kind, dataset=None, **options):
    with pytest.raises(InputRejected) as caught:
        task({**TOYS[kind], **options}, dataset or toy_dataset(kind))
    return str(caught.value)


def test_a_tag_that_the_data_lacks():
    assert "task.unknown must be a tag of the data; got 'zzz'" in refused("tagging", unknown="zzz")
    assert "task.normal must be a tag of the data; got 'fine'" in refused("anomaly", normal="fine")


def test_next_step_of_measured_numbers():
    assert "must have tokens, or frames of 0 and 1; got other numbers" in refused("next-token", toy_dataset("tagging"))


def test_a_tied_head_without_tokens():
    assert "task.tied needs tokens" in refused("next-marks", tied=True)


def test_a_linear_map_of_windows_of_unequal_length():
    data = toy_dataset("forecasting")
    odd = replace(data, train=replace(data.train, lengths=np.where(np.arange(23) == 3, 5, data.train.lengths)))
    assert "task.skip needs windows of one length; got 5 to 6 frames" in refused("forecasting", odd, skip="linear")


def test_scores_of_frames_that_no_constant_standardizes():
    by_window = replace(toy_dataset("anomaly"), device={"normalise": {"by": "window"}})
    assert "windows normalised by themselves" in refused("anomaly", by_window)


def test_a_validation_without_clean_frames():
    with pytest.raises(InputRejected, match="must have clean frames"):
        toy("anomaly").task.threshold(np.ones(3), np.ones(3))


def test_networks_that_read_some_channels():
    made = toy("classification").task
    assert made.features({"reads": ["f[02]"]}) == 2
    with pytest.raises(ConfigError, match="must name a column"):
        made.features({"reads": ["g*"]})
    with pytest.raises(ConfigError, match="must be all channels for the task anomaly; got 2 of 3"):
        toy("anomaly").task.features({"reads": ["f0", "f1"]})
    forecast = toy("forecasting").task
    assert forecast.front({"reads": ["f2", "f0"]})["targets"] == [0, 1]
    with pytest.raises(ConfigError, match=r"must name the channels that are foreseen.*'f0'"):
        forecast.front({"reads": ["f2"]})


def test_windows_normalised_by_themselves_leave_other_answers_alone():
    data = replace(toy_dataset("classification"), device={"normalise": {"by": "window"}})
    front = task(TOYS["classification"], data).front({})
    assert front == {"kind": "window", "around": "mean", "scaled": True, "targets": []}


def test_sound_goes_through_the_front_of_the_graph():
    about = {"kind": "log_mel", "sample_rate_hz": 8000, "bands": 3}
    made = task(TOYS["classification"], replace(toy_dataset("classification"), device={"front": about}))
    assert (made.front({}), made.features({})) == ({"kind": "log_mel", "sample_rate_hz": 8000}, 3)
