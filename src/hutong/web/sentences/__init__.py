"""What the errors of this package can say, read out of its source, for their translation.

`source` reads the modules, `flow` follows a text to where its words are written, `extract` writes the entries down.
Only ``python -m hutong.web.i18n`` and the tests use it: a running node reads the catalogue (`hutong.web.error_words`).
"""
