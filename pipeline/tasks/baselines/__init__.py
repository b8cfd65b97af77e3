"""Cheap models that a network must beat to be worth its bytes, one kind of task a file."""

from .registry import baselines

__all__ = ["baselines"]
