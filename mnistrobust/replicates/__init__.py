"""Replicates: all networks of one seed, trained and evaluated, and many of them."""

from mnistrobust.replicates.replicate import Replicate, Task

__all__ = ["Replicate", "Task"]
