"""Which computed constants are not weights: passes that store weights leave them computed. No torch."""

WAVES, BANDS = "log_mel.waves", "log_mel.bands"
COSINES, HANN = "log_mel.cosines", "log_mel.hann"
FIXED = frozenset({WAVES, BANDS})
FIXED_TABLES = frozenset({COSINES, HANN})
"""What they are computed from."""
