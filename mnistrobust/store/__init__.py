"""Results on disk, and digests of the code that they depend on."""

from mnistrobust.files import write_whole
from mnistrobust.store.store import Entry, Key, Store, StoreWarning, open_store

__all__ = ["Entry", "Key", "Store", "StoreWarning", "open_store", "write_whole"]
