"""Territories by their ISO 3166-1 code, with the URI that catalogues use for them."""

from __future__ import annotations

from babel import Locale

from .catalogue.catalogue import Territory, Text

COUNTRY_URI = "http://publications.europa.eu/resource/authority/country/{alpha3}"
# The authority table is keyed by three letters; the codes of the demonstration and of its neighbours suffice for a
# node, which names its own territory once. Others get a URN.
_ALPHA3 = {"CN": "CHN", "TW": "TWN", "PE": "PER", "HK": "HKG", "MO": "MAC", "DE": "DEU", "FR": "FRA", "ES": "ESP"}


def territory_of(code: str) -> Territory:
    """The territory of an ISO 3166-1 alpha-2 code; ``*`` is the whole world, which a hub serves."""
    if code == "*":
        return Territory(code="", name=Text("All regions", "所有地区"), uri="urn:hutong:territory:all")
    alpha3 = _ALPHA3.get(code)
    uri = COUNTRY_URI.format(alpha3=alpha3) if alpha3 else f"urn:iso:std:iso:3166:{code.lower()}"
    return Territory(code=code, name=Text(_name("en", code), _name("zh_Hans", code)), uri=uri)


def _name(language: str, code: str) -> str:
    return str(Locale.parse(language).territories.get(code, code))
