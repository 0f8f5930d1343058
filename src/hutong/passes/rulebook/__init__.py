"""Rulebooks: versioned public rules that give a level, and the notice before one that tightens."""
