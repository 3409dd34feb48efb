"""Properties that any trained digit classifier is held to, whatever framework it comes from."""
