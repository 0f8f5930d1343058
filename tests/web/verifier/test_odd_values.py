"""Well-signed passes in which one value is odd CBOR: the page's verifier and the node's see the same pass."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import cbor2
import pytest
from playwright.sync_api import Page

from hutong.passes.credential import cose, hcert
from hutong.passes.credential.certificates import key_id_of
from hutong.passes.recognition.verification import verify_pass
from tests.web.verifier.test_modules import verified
from tests.web.verifier.world import Site

pytestmark = pytest.mark.browser

# Every tag that a decoder in use gives a meaning of its own (IANA's registry of CBOR tags), and some that none does.
TAGS = (
    *(0, 1, 2, 3, 4, 5, 18, 21, 22, 23, 24, 25, 28, 29, 30, 32, 33, 34, 35, 36, 37, 38, 52, 54, 61, 64, 100, 110, 256),
    *(258, 259, 260, 261, 263, 1004, 1040, 43_000, 55_799, 65_535, 2**32, 2**53, 2**64 - 1),
)
ITEMS = (
    "00 01 20 1a60000000 1bffffffffffffffff f4 f5 f6 f7 f93c00 f97e00 fb7e37e43c8800759c 60 6178 41ff 4401020304"
    " 80 8101 820102 a0 a10102 a1613101 6a323032312d30312d3031 d9d9f701 d9d9f7a10102 c06178 c101"
)
VALUES = tuple(map(bytes.fromhex, ITEMS.split()))
TIMES = (
    *("2030-01-01T00:00:00Z", "2030-01-01T00:00:00.5+08:00", "2030-01-01T00:00:00.123456789Z", "0001-01-01T00:00:00Z"),
    *("20300101T000000Z", "2030-W01-1T00:00:00Z", "2030-01-01 00:00:00Z", "2030-01-01T00:00:00+0000"),
    *("2030-01-01T00:00:00,5Z", "2030-01-01T00:00Z", "2030-01-01T00Z", "2030-01-01T00:00:00+00", "2030-01-01"),
    *("2030-01-01T24:00:00Z", "2030-01-01T23:59:60Z", "2030-02-30T00:00:00Z", "2030-01-01T00:00:00", "2030-001T00:00Z"),
    *("2030-01-01T00:00:00z", "2030-01-01t00:00:00Z", "2030-01-01T00:00:00+24:00", "2030-01-01T00:00:00.Z"),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "12030-01-01T00:00:00Z"),
    *("2030-01-01T00:00:00Z\n", " 2030-01-01T00:00:00Z", "２030-01-01T00:00:00Z", "2030-01-01T00:00:00-00:00"),
)
FIELDS = ("level", "rulebook", "version", "pass id", "index", "commitment")
CLAIMS = {"issuer": b"\x01", "expiry": b"\x04", "issue": b"\x06", "begin": b"\x05", "further": b"\x07"}
PLACES = (*CLAIMS, "contents", "entry", "whole", *FIELDS)


def odd_pass(site: Site, place: str, value: bytes) -> str:
    """A pass that is accepted but for ``value``, the encoded item in this place of it."""
    region, now = site.regions["tw"], int(site.now.timestamp())
    fields = [b"\x63low", b"\x68dengue-3", b"\x83\x01\x00\x00", b"\x50sixteen bytes id", b"\x03", b"\x4c" + bytes(12)]
    if place in FIELDS:
        fields[FIELDS.index(place)] = value
    entries = value if place == "entry" else b"\x86" + b"".join(fields)
    claims = {
        "issuer": b"\x62tw",
        "expiry": b"\x1a" + (now + 9000).to_bytes(4),
        "issue": b"\x1a" + (now - 9).to_bytes(4),
    }
    if place in CLAIMS:
        claims[place] = value
    body = b"".join(CLAIMS[name] + item for name, item in claims.items())
    contents = value if place == "contents" else b"\xa1\x38\x47" + entries
    payload = bytes((0xA0 + len(claims) + 1,)) + body + b"\x39\x01\x03" + contents
    signer = cose.Signer(region.key, key_id_of(region.certificate))
    return hcert.pack(signer.sign(value if place == "whole" else payload))


def odd_passes(site: Site) -> Iterator[str]:
    places = cycle(PLACES)
    for tag in TAGS:
        head = cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1]
        yield from (odd_pass(site, next(places), head + value) for value in VALUES[tag % 2 :: 2])
        yield from (odd_pass(site, place, head + VALUES[tag % len(VALUES)]) for place in ("further", "expiry"))
    for text in TIMES:
        tagged = cbor2.dumps(cbor2.CBORTag(0, ""))[:1] + cbor2.dumps(text)
        yield from (odd_pass(site, place, tagged) for place in ("expiry", "issue", "begin", "issuer"))
    inside = odd_pass(site, "further", b"\x00")
    claims = cbor2.loads(hcert.unpack(inside)).value[2]
    yield odd_pass(site, "whole", b"\xd9\xd9\xf7" + claims)  # a map behind the tag that says "this is CBOR"
    fields = b"\x86\x63low\x68dengue-3\x83\x01\x00\x00\x50sixteen bytes id\x03\x4c" + bytes(12)
    yield odd_pass(site, "contents", b"\xd9\xd9\xf7\xa1\x38\x47" + fields)
    yield odd_pass(site, "entry", b"\xd9\xd9\xf7" + fields)
    for depth in range(12, 20):
        yield odd_pass(site, "further", b"\x81" * depth + b"\x00")
        yield odd_pass(site, "further", b"\xc6" * depth + b"\x00")
        yield odd_pass(site, "further", b"\xd9\xd9\xf7" * depth + b"\x00")
        yield odd_pass(site, "further", b"\xa1\x00" * depth + b"\x00")


def test_page_and_node_read_the_same_of_odd_values(module_page: Page, site: Site) -> None:
    """A tag that one of the two can't read, or a time that one of them takes, would be two answers to one pass."""
    texts, at = list(odd_passes(site)), site.now.replace(microsecond=0)
    given = [{"text": text, "scene": "public-place", "at": at.timestamp() * 1000} for text in texts]
    trust = site.snapshot(site.signed)
    differing, answers = [], []
    for text, found in zip(texts, verified(module_page, site, given), strict=True):
        wanted = verify_pass(text, trust=trust, scene="public-place", at=at)
        answers.append(str(wanted.answer))
        told = (str(wanted.answer), [reason.rule_id for reason in wanted.reasons], wanted.kind, wanted.issuer)
        if told != (found["answer"], found["reasons"], found["kind"], found["issuer"]):
            differing.append((hcert.unpack(text).hex(), told, found))
    assert differing == []
    assert len(texts) > 700
    assert min(answers.count(answer) for answer in ("accepted", "unknown")) > 50
