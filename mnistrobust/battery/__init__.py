"""A battery of specs for any trained digit classifier, whatever framework it comes from.

Nothing of the core imports this package: the commands `check` and `export-views` do when they are
asked to, and `mnistrobust.testing` for the reader's own suite.
"""
