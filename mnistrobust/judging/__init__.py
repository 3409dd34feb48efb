"""From margins to verdicts: results, ledger, statistics, regression checks."""
