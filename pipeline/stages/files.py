"""Names of files that more than one stage knows."""

OUTPUTS = "train.outputs.npy"
