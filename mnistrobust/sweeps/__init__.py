"""Sweeps: accuracy, confidence and loss of models against the doses of perturbations."""
