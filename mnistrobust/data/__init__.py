"""Find, verify and load MNIST: `decide` chooses where the images come from, `load` reads them."""

from mnistrobust.data.dataset import Dataset, Source, load
from mnistrobust.data.decision import decide, standing
from mnistrobust.data.files import cache_folder

__all__ = ["Dataset", "Source", "cache_folder", "decide", "load", "standing"]
