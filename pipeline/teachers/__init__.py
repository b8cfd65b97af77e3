"""Teachers that a user brings along: weights, networks, ONNX files, or just what a teacher said."""
