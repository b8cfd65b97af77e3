"""seqpress turns sequence models into edge-ready ONNX artifacts and proves what it cost."""

__version__ = "0.1.0"
