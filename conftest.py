"""Loads the plugins; everything they do stands in `fixtures/`."""

pytest_plugins = (
    "fixtures.settings",
    "fixtures.workers",
    "fixtures.replicates",
    "fixtures.claims",
    "fixtures.progress",
    "fixtures.properties",
)
