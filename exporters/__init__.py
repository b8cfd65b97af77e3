"""A torch model in, ONNX out. ``manifest`` and ``quantize`` read and write ONNX files without torch."""
