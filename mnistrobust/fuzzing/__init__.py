"""The smallest changes that break a model; laws of transforms, and strategies for examples."""

from mnistrobust.fuzzing.laws import LAWS, check_transform
from mnistrobust.fuzzing.strategies import make_frame, make_images

__all__ = ["LAWS", "check_transform", "make_frame", "make_images"]
