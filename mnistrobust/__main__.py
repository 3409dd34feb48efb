"""`python -m mnistrobust`."""

from mnistrobust.cli import main

main()
