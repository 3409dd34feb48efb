"""Baselines: earlier runs, and what changed since."""
