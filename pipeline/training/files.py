"""Names of a network's files; apart from ``networks`` so that stages without torch can copy them."""

WEIGHTS = "model.safetensors"
SPECIFICATION = "network.json"
