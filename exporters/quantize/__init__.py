"""Float ONNX in, smaller ONNX out: one recipe a file."""
