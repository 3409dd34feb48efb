"""Mistakes that people make, put into the library one by one, to see whether the suite fails."""
