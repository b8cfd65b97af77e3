"""A few exported networks, made once a session: exporting costs a second each."""

import numpy as np
import pytest
from artifacts import FEATURES, manifest, network
from seqpress.exporters.quantize.contract import Calibration
from seqpress.exporters.whole import export_whole


@pytest.fixture(scope="session")
def exported():
    """Network and model of each kind, by name."""
    kinds = {
        "gru": network("gru", hidden=32),
        "gru-2-last": network("gru", "last", hidden=16, layers=2),
        "gru-both": network("gru", hidden=16, bidirectional=True),
        "lstm": network("lstm", hidden=32),
        "lstm-wide-both": network("lstm", hidden=64, layers=2, bidirectional=True),
        "tcn": network("tcn", channels=16, levels=3),
        "transformer": network("transformer", width=16, heads=2),
    }
    return {name: (net, export_whole(net, manifest())) for name, net in kinds.items()}


@pytest.fixture
def sequences():
    rng = np.random.default_rng(0)
    return [rng.standard_normal((length, FEATURES)).astype(np.float32) for length in (7, 12, 1, 29, 18)]


@pytest.fixture(scope="session")
def calibration():
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 30, 48)
    return Calibration([rng.standard_normal((length, FEATURES)).astype(np.float32) for length in lengths])
