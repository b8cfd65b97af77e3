"""The data room: sources, checks, splits, normalisation and batches of sequences of unequal length.

    options of the YAML's ``data`` section
      → sources/      one reader a file: sktime, npz, python
      → checks        every fault of the data at once, as InputRejected
      → splits        the source's own, or holdouts by class, group or at random
      → Dataset       float32 frames end to end, memory-mapped, with mean and std of the training frames

Importing this room needs numpy and nothing else; a source imports its library where it must.
"""

from .batches import length_batches, ordered_batches
from .dataset import Dataset, Sequences
from .digest import source_digest
from .load import load_source

__all__ = ["Dataset", "Sequences", "length_batches", "load_source", "ordered_batches", "source_digest"]
