"""The data room: sources, checks, splits, normalisation and batches of sequences of unequal length.

    options of the YAML's ``data`` section
      → sources/      one reader a file: tables, text, audio, sktime, npz, python
      → prepare       channels, missing values and time steps, chunk by chunk on the way to disk
      → sink          frames onto disk; what one pass can tell of them
      → checks        every fault of the data at once, as InputRejected
      → answers       labels, tags, or the frames that follow
      → splits        the source's own, folds, or holdouts by class, group, time or at random
      → windows       stretches of the stored frames
      → Dataset       frames stored once, memory-mapped, with mean and std of the training frames

Importing this room needs numpy and nothing else; a source imports its library where it must.
"""

from .batches import length_batches, ordered_batches
from .dataset import Dataset, Sequences
from .digest import source_digest
from .load import load_source

__all__ = ["Dataset", "Sequences", "length_batches", "load_source", "ordered_batches", "source_digest"]
