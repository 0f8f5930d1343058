"""Passes: rulebooks that give levels, signed codes that carry them, and how other regions recognise them.

The largest stage, so it has a folder per noun, each with the grammar of a stage (``<noun>.py``, ``actions.py``,
``queries.py``): ``rulebook``, ``level``, ``issuance``, ``recognition``, ``trust_bundle``, ``draft``, ``appeal``,
``exposure``, ``sunset``. ``certlogic`` is the language of rules, ``credential`` the formats of passes; ``shipped``
holds documents to begin with.
"""
