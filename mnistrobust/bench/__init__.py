"""The speed of our training, against others in the same run.

Nothing else of the library imports this package; the command does, when it is asked to.
"""
