"""Appeals and corrections: what a person says against a level or a fact, and what comes of it."""
