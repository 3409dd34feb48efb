"""The document's helpers under their own names: `from mnistrobust.document import *`."""

from mnistrobust.document.helpers import *  # noqa: F403 - they are this package's names
from mnistrobust.document.helpers import __all__ as __all__
