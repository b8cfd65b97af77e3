"""What ``pipeline.yaml`` may say: typed, frozen, one file a section, and nothing of torch.

``load`` is the door: it reads a file, applies ``--set`` overrides and either returns a ``Loaded`` or raises one
``ConfigError`` that carries every fault with its line and column. To add an architecture, a loss or a source:
one class, one entry in its union; the schema, ``compress explain`` and docs/configuration.md follow.
"""

from .loader import Loaded, load, reread
from .pipeline import PipelineConfig

__all__ = ["Loaded", "PipelineConfig", "load", "reread"]
