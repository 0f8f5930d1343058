"""Passes: rulebooks that give levels, signed codes that carry them, and how other regions recognise them."""
