"""Revocation of EU DCCs: by each of the three hashes, from batches of the gateway and from partitions with filters."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import struct
import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import hutong
from hutong.errors import BadInput, HutongError, LimitExceeded, NotFound
from hutong.passes.credential import cbor, cose, dcc_revocation, hcert
from hutong.passes.credential.dcc_revocation import ANOTHER_KEY, BY_BEGINNING, BY_FILTER, NOT_WHOLE, RevocationLists
from hutong.passes.credential.hash_list import HashList
from tests.cli.conftest import CommandLine

KEY, KEY_ID = ec.generate_private_key(ec.SECP256R1()), b"\xfa\x00\xff\x3e\x01\x02\x03\x04"
KID = base64.b64encode(KEY_ID).decode()
UCI = "URN:UVCI:01:XY:7A9#C"


def signed(uci: str = UCI, issuer: str = "XX", country: str = "XY", key_id: bytes = KEY_ID) -> bytes:
    content = {"ver": "1.3.0", "v": [{"ci": uci, "co": country}]}
    return cose.Signer(KEY, key_id).sign(cbor.dumps({1: issuer, 4: 2_000_000_000, -260: {1: content}}))


MESSAGE = signed()
TEXT = hcert.pack(MESSAGE)


def first_bytes(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]


HASHES = {
    "r of the signature": ("SIGNATURE", first_bytes(cose.parse(MESSAGE).signature[:32])),
    "identifier": ("UCI", first_bytes(b"URN:UVCI:01:XY:7A9#C")),
    "issuer and identifier": ("COUNTRYCODEUCI", first_bytes(b"XXURN:UVCI:01:XY:7A9#C")),
    "country of the entry and identifier": ("COUNTRYCODEUCI", first_bytes(b"XYURN:UVCI:01:XY:7A9#C")),
}
OTHER = bytes(16)


def batch(hash_type: str, *values: bytes, kid: str = KID, country: str = "XX") -> dict[str, Any]:
    entries = [{"hash": base64.b64encode(value).decode()} for value in values]
    return {
        "country": country,
        "expires": "2030-01-01T00:00:00Z",
        "kid": kid,
        "hashType": hash_type,
        "entries": entries,
    }


def write(folder: Path, **documents: Any) -> Path:
    for name, document in documents.items():
        content = document if isinstance(document, bytes) else orjson.dumps(document)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path, text: str = TEXT) -> tuple[bool | None, list[str]]:
    found = hutong.read_pass(text, revocations=folder)
    return found.revoked, [one for one in found.warnings if one in (ANOTHER_KEY, NOT_WHOLE, BY_FILTER, BY_BEGINNING)]


@pytest.mark.parametrize("which", HASHES)
def test_each_hash_revokes_and_only_as_what_it_is(which: str, tmp_path: Path) -> None:
    hash_type, value = HASHES[which]
    assert read(write(tmp_path, one=batch(hash_type, OTHER, value))) == (True, [])
    for another in {"SIGNATURE", "UCI", "COUNTRYCODEUCI"} - {hash_type}:
        assert read(write(tmp_path, one=batch(another, value))) == (False, [])


def test_of_a_signature_by_rsa_all_of_it_is_hashed() -> None:
    message = cose.Sign1(b"", {}, b"", b"s" * 256, "PS256", KEY_ID)
    assert dcc_revocation.hashes_of(message, "XX", {}) == (("SIGNATURE", first_bytes(b"s" * 256)),)


def test_lists_of_another_key_say_nothing_and_those_of_its_own_that_it_is_good(tmp_path: Path) -> None:
    uci = HASHES["identifier"][1]
    another = base64.b64encode(b"another!").decode()
    assert read(write(tmp_path, one=batch("UCI", uci, kid=another))) == (None, [ANOTHER_KEY])
    assert read(write(tmp_path, two=[batch("UCI", OTHER)])) == (False, [])
    assert read(write(tmp_path, two=batch("UCI"))) == (False, []), "a batch of its key that lists nothing"
    for country, revoked in (("XX", True), ("XZ", None)):
        folder = write(tmp_path, two=batch("UCI", uci, kid="UNKNOWN_KID", country=country))
        assert read(folder)[0] is revoked
    as_text = hcert.pack(signed(key_id=KID.encode()))
    assert read(write(tmp_path, two=batch("UCI", uci)), as_text) == (True, [])
    assert read(write(tmp_path, two=b"\xef\xbb\xbf " + orjson.dumps(batch("UCI", uci)))) == (True, [])


def filter_of(*values: bytes) -> bytes:
    """Slice with a filter of 64 words and 7 probes, built bit by bit."""
    words = [0] * 64
    for value in values:
        for seed in range(7):
            place = int.from_bytes(hashlib.sha256(value + bytes((seed,))).digest(), "big", signed=True) % 2048
            words[place // 32] |= 0x80000000 >> place % 32
    return struct.pack(">hbbfiii", 1, 7, 0, 0.01, 10, len(values), 64) + struct.pack(">64I", *words)


def partition(
    content: bytes, *, x: str | None = None, y: str | None = None, kind: str = "BLOOMFILTER"
) -> dict[str, Any]:
    described = {"type": kind, "version": "1.0", "hash": hashlib.sha256(content).hexdigest()}
    kid = base64.urlsafe_b64encode(KEY_ID).decode().rstrip("=")
    return {"kid": kid, "id": None, "x": x, "y": y, "chunks": {"1": {"2030-01-01T00:00:00Z": described}}}


@pytest.mark.parametrize("coordinates", [0, 1, 2])
def test_a_filter_revokes_within_its_coordinates(coordinates: int, tmp_path: Path) -> None:
    value = HASHES["identifier"][1]
    digits = value.hex()
    axes = dict(zip(("x", "y")[:coordinates], digits, strict=False))
    content = filter_of(value)
    assert read(write(tmp_path, list=[partition(content, **axes)], any_name=content)) == (True, [BY_FILTER])
    if coordinates:
        axes["x"] = "0" if digits[0] != "0" else "1"
        assert read(write(tmp_path, list=[partition(content, **axes)])) == (False, [])


def test_filters_that_do_not_hold_it_and_slices_that_are_not_there(tmp_path: Path) -> None:
    content = filter_of(OTHER)
    assert read(write(tmp_path, list=partition(content), slice=content)) == (False, [])
    assert read(write(tmp_path, list=partition(content, kind="CUCKOOFILTER"))) == (None, [NOT_WHOLE])
    assert read(write(tmp_path, list=partition(content), slice=content[:-1])) == (None, [NOT_WHOLE])
    missing = [partition(filter_of(b"missing")), batch("UCI", HASHES["identifier"][1])]
    assert read(write(tmp_path, list=missing)) == (True, [])


def list_of(*values: bytes, size: int = 4) -> bytes:
    """Slice with the first bytes of hashes: version, rate, sized for, bytes of each; then the hashes in order."""
    head = struct.pack(">hfib", 1, 0.001, len(values), size)
    return head + b"".join(sorted(value[:size] for value in values))


@pytest.mark.parametrize("size", [3, 4, 5, 16])
@pytest.mark.parametrize("coordinates", [0, 2])
def test_a_list_of_shortened_hashes_revokes(size: int, coordinates: int, tmp_path: Path) -> None:
    for which in ("r of the signature", "identifier", "issuer and identifier"):
        value = HASHES[which][1]
        axes = dict(zip(("x", "y")[:coordinates], value.hex(), strict=False))
        content = list_of(bytes(15) + b"\1", value, b"\x7f" * 16, size=size)
        listed = partition(content, kind="VARHASHLIST", **axes)
        assert read(write(tmp_path, list=[listed], slice=content)) == (True, [BY_BEGINNING])
        if coordinates:
            listed["x"] = "0" if axes["x"] != "0" else "1"
            assert read(write(tmp_path, list=[listed])) == (False, [])


def test_a_hash_that_begins_otherwise_is_not_listed(tmp_path: Path) -> None:
    value = HASHES["identifier"][1]
    near = value[:3] + bytes((value[3] ^ 1,)) + value[4:]
    content = list_of(near, OTHER)
    assert read(write(tmp_path, list=partition(content, kind="VARHASHLIST"), slice=content)) == (False, [])


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("7f818203", "7f818203"),
        ("00008182", "00008182"),
        ("ff818203", "00818203"),
        ("ffffff81", "00000081"),
        ("ffffffff", "000000ff"),
        ("ff018203", "ff018203"),
        ("80000000", "80000000"),
    ],
)
def test_hashes_are_found_as_the_reference_writes_them(value: str, written: str) -> None:
    """A signed number in as few bytes as it needs, with zeros before it: a leading FF before a high bit is lost."""
    data = struct.pack(">hfib", 1, 0.5, 1, 4) + bytes.fromhex(written)
    listed = HashList.read(data)
    assert listed.might_contain(bytes.fromhex(value) + b"what follows")
    assert not listed.might_contain(bytes.fromhex(value)[:3])
    assert not listed.might_contain(b"\x12\x34\x56\x78")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        list_of(OTHER)[:10],
        list_of(OTHER)[:-1],
        list_of(OTHER) + b"\0",
        b"\0\2" + list_of(OTHER)[2:],
        list_of(OTHER, size=0),
        struct.pack(">hfib", 1, 0.5, 0, -1),
        struct.pack(">hfib", 1, 0.5, 0, 33),
    ],
)
def test_what_is_no_list_of_hashes(data: bytes) -> None:
    with pytest.raises(BadInput):
        HashList.read(data)


def tar_of(members: dict[str, bytes], *, links: bool = False) -> bytes:
    """An archive as the distribution service writes it: POSIX, without the blocks of zeros at its end."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            head = tarfile.TarInfo(name)
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))
        if links:
            link = tarfile.TarInfo("list")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
            archive.addfile(link)
        end = archive.offset
    return stream.getvalue()[:end]


def test_slices_are_read_from_the_archives_of_the_distribution_service(tmp_path: Path) -> None:
    value = HASHES["identifier"][1]
    hashes_, filter_, other = list_of(value), filter_of(value), list_of(OTHER)
    named = {
        f"{KID}/null/{chunk}/{hashlib.sha256(one).hexdigest()}": one for chunk, one in (("a", hashes_), ("b", other))
    }
    listed = [partition(hashes_, kind="VARHASHLIST"), partition(other, kind="VARHASHLIST")]
    assert read(write(tmp_path, list=listed, bundle=gzip.compress(tar_of(named)))) == (True, [BY_BEGINNING])
    assert read(write(tmp_path, list=listed, bundle=tar_of(named, links=True))) == (True, [BY_BEGINNING])
    assert read(write(tmp_path, list=partition(filter_), bundle=gzip.compress(filter_))) == (True, [BY_FILTER])
    assert read(write(tmp_path, list=[listed[1]], bundle=gzip.compress(tar_of(named)))) == (False, [])
    assert read(write(tmp_path, list=listed, bundle=gzip.compress(other))) == (None, [NOT_WHOLE])
    packed = {"lists/one.json": orjson.dumps(listed), **named}
    (tmp_path / "list").unlink()
    assert read(write(tmp_path, bundle=gzip.compress(tar_of(packed)))) == (True, [BY_BEGINNING])
    assert read(tmp_path / "bundle") == (True, [BY_BEGINNING])


WHOLE = gzip.compress(tar_of({"one": b"x" * 700, "two": b"y"}), mtime=0)  # the same in each worker
INFLATED = gzip.decompress(WHOLE)


@pytest.mark.parametrize(
    "bundle",
    [
        WHOLE[:-9],
        WHOLE[:40] + bytes(20) + WHOLE[60:],
        b"\x1f\x8b",
        INFLATED[:1000],
        INFLATED[:-700],
        INFLATED[:124] + b"-0000000001 " + INFLATED[136:],
        INFLATED[:124] + b"\x80" + bytes(10) + b"\5" + INFLATED[136:],
        INFLATED[:1536] + b"z" * 512,
    ],
    ids=range(8),
)
def test_what_is_a_damaged_archive(bundle: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="one is a damaged archive"):
        RevocationLists.load(write(tmp_path, list=batch("UCI", OTHER), one=bundle))


def test_a_bomb_is_not_inflated_and_members_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, list=batch("UCI", OTHER), one=gzip.compress(bytes(2**25 + 1)))
    with pytest.raises(LimitExceeded, match="one is larger than 33,554,432 bytes"):
        RevocationLists.load(folder)
    write(tmp_path, one=gzip.compress(tar_of({f"{n}": b"" for n in range(20)})))
    assert RevocationLists.load(folder)
    monkeypatch.setattr(dcc_revocation, "MAX_FILES", 20)
    with pytest.raises(LimitExceeded, match="more than 20 files"):
        RevocationLists.load(folder)
    monkeypatch.setattr(dcc_revocation, "MAX_TOTAL_BYTES", 9_999)
    write(tmp_path, one=gzip.compress(b"\0" * 9_990))
    with pytest.raises(LimitExceeded, match="one is larger"):
        RevocationLists.load(folder)


def test_the_overview_tells_of_which_keys_slices_are_missing(tmp_path: Path) -> None:
    overview = [{"kid": KID, "mode": "POINT", "hashTypes": ["UCI"], "expires": "2030-01-01T00:00:00Z"}]
    content = list_of(OTHER)
    assert read(write(tmp_path, overview=overview)) == (None, [NOT_WHOLE])
    assert read(tmp_path, hcert.pack(signed(key_id=b"another!"))) == (None, [ANOTHER_KEY])
    assert read(write(tmp_path, list=partition(content, kind="VARHASHLIST"), slice=content)) == (False, [])


def test_slices_of_no_key_may_be_of_any(tmp_path: Path) -> None:
    value = HASHES["identifier"][1]
    content, own = list_of(value), list_of(OTHER)
    unknown = {**partition(content, kind="VARHASHLIST"), "kid": "UNKNOWN_KID"}
    assert read(write(tmp_path, list=unknown, slice=content)) == (True, [BY_BEGINNING])
    folder = write(tmp_path, list=[unknown, partition(own, kind="VARHASHLIST")], slice=own)
    assert read(folder) == (None, [NOT_WHOLE])


def test_a_certificate_whose_signature_is_wrong_is_not_called_revoked_or_good(tmp_path: Path) -> None:
    from hutong.passes.credential.keys import write_jwk

    folder = write(tmp_path, one=batch(*HASHES["identifier"]))
    another = write_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), KEY_ID)
    for keys, valid, revoked in (([write_jwk(KEY.public_key(), KEY_ID)], True, True), ([another], False, None)):
        found = hutong.read_pass(TEXT, keys=keys, revocations=folder)
        assert (found.signature_valid, found.revoked) == (valid, revoked)
    assert hutong.read_pass(TEXT).revoked is None


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"{", BadInput),
        ([1], BadInput),
        ({"keys": []}, BadInput),
        ({**batch("UCI"), "kid": 7}, BadInput),
        ({**batch("UCI"), "kid": "?"}, BadInput),
        ({**batch("UCI", kid="UNKNOWN_KID"), "country": None}, BadInput),
        ({**batch("UCI"), "entries": {}}, BadInput),
        (batch("NAME", OTHER), BadInput),
        (batch("UCI", b"short"), BadInput),
        ({**batch("UCI"), "entries": [7]}, BadInput),
        ({**partition(b""), "chunks": []}, BadInput),
        ({**partition(b""), "chunks": {"1": 7}}, BadInput),
        ({**partition(b""), "chunks": {"1": {"2": {"type": "BLOOMFILTER"}}}}, BadInput),
        (partition(b"", x=7), BadInput),  # type: ignore[arg-type]
        (partition(b"no filter"), BadInput),
        (b"no list", NotFound),
    ],
)
def test_what_is_no_list(document: Any, error: type[HutongError], tmp_path: Path) -> None:
    with pytest.raises(error):
        RevocationLists.load(write(tmp_path, one=document, slice=b"no filter"))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, one=batch("UCI", OTHER, HASHES["identifier"][1]))
    monkeypatch.setattr(dcc_revocation, "MAX_HASHES", 1)
    with pytest.raises(LimitExceeded):
        RevocationLists.load(folder)
    monkeypatch.setattr(dcc_revocation, "MAX_TOTAL_BYTES", 99)
    with pytest.raises(LimitExceeded):
        RevocationLists.load(folder)
    with pytest.raises(NotFound):
        RevocationLists.load(folder / "two")


def test_the_command_tells_it(tmp_path: Path) -> None:
    hutong_ = CommandLine()
    (tmp_path / "lists").mkdir()
    folder = write(tmp_path / "lists", one=batch(*HASHES["identifier"]))
    assert hutong_.ok("pass", "read", TEXT, "--revocations", folder)["revoked"] is True
    assert "■ revoked by its issuer" in hutong_("pass", "read", TEXT, "--revocations", folder / "one").out
    write(folder, one=batch("UCI", OTHER))
    assert "on none of the revocation lists at hand" in hutong_("pass", "read", TEXT, "--revocations", folder).out
    refused = hutong_("pass", "read", TEXT, "--revocations", tmp_path / "nowhere", "--json")
    assert (refused.code, refused.json["error"]["code"]) == (NotFound.exit_code, "not-found")
