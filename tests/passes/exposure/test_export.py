"""The export format: what phones of others would read, what a forger can't make, what breaks nothing."""

from __future__ import annotations

import contextlib
import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from hutong.errors import BadInput, HutongError, LimitExceeded, Tampered
from hutong.passes.exposure.export import (
    BIN,
    HEADER,
    SIG,
    Export,
    KeyName,
    in_export_order,
    read_archive,
    read_export,
    write_archive,
    write_export,
)
from hutong.passes.exposure.key import ExposureKey, ReportType

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
NAME = KeyName("tw", "v1")
TRUSTED = {NAME: KEY.public_key()}
END = datetime(2026, 3, 1, 8, tzinfo=UTC)
KEYS = st.builds(
    ExposureKey,
    key_data=st.binary(min_size=16, max_size=16),
    rolling_start=st.integers(0, 2**31 - 145),
    rolling_period=st.integers(1, 144),
    report_type=st.sampled_from(ReportType),
    days_since_onset=st.none() | st.integers(-14, 14),
)


def export(*keys: ExposureKey) -> Export:
    return Export(END - timedelta(hours=4), END, "TW", NAME, in_export_order(keys))


SAMPLE = export(ExposureKey(bytes(range(16)), 2_664_000, 144, ReportType.CONFIRMED_TEST, -3))


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def members(content: bytes) -> tuple[bytes, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.namelist() == [BIN, SIG]
        return opened.read(BIN), opened.read(SIG)


def test_octet_by_octet_as_the_specification_has_it() -> None:
    expected = (
        "454b204578706f727420763120202020"  # EK Export v1, padded to 16
        "09c0b9a36900000000"  # 1 start_timestamp, fixed64: 2026-03-01T04:00Z
        "1100f2a36900000000"  # 2 end_timestamp: 08:00Z
        "1a025457"  # 3 region
        "20012801"  # 4 batch_num, 5 batch_size
        "321d"  # 6 signature_infos
        "1a027631220274772a13312e322e3834302e31303034352e342e332e32"  # v1, tw, the algorithm's identifier
        "3a1e"  # 7 keys
        "0a10000102030405060708090a0b0c0d0e0f"  # key_data
        "18c0cca20120900128013005"  # start, period 144, confirmed test, three days before onset
    )
    assert write_export(SAMPLE).hex() == expected


def test_a_phone_verifies_and_reads_what_was_written() -> None:
    content = write_archive(SAMPLE, KEY)
    assert read_archive(content, TRUSTED) == SAMPLE
    signed, signatures = members(content)
    assert signed.startswith(HEADER)
    # The last field is the signature in DER, over the whole file: found here without our reader.
    (der,) = (signatures[-n:] for n in range(64, 73) if signatures[-n - 2 :].startswith(bytes([0x22, n, 0x30, n - 2])))
    KEY.public_key().verify(der, signed, ec.ECDSA(hashes.SHA256()))
    assert {info.date_time for info in zipfile.ZipFile(io.BytesIO(content)).infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_other_servers_write_is_read() -> None:
    """Without times, kind and onset, with the fields that were withdrawn: as servers of 2020 wrote."""
    written = bytes.fromhex(
        "454b204578706f727420763120202020"
        "1a03333130"
        "20012801"
        "320c0a01611a0276312203333130"
        f"3a1c0a10{'ab' * 16}100018d0dca101209001"
    )
    read = read_export(written)
    assert (read.region, read.signed_by.version, len(read.keys)) == ("310", "v1", 1)
    assert read.keys[0] == ExposureKey(b"\xab" * 16, 2_649_680, 144, ReportType.UNKNOWN)


def test_forged_signatures_are_refused() -> None:
    honest = write_archive(SAMPLE, KEY)
    signed, signatures = members(honest)
    forged = replace(SAMPLE, keys=(ExposureKey(b"\x07" * 16, 2_664_000),))
    attempts = {
        "another's key": write_archive(SAMPLE, OTHER),
        "other content, honest signature": archive(export_bin=write_export(forged), export_sig=signatures),
        "an added octet": archive(export_bin=signed + b"\x00", export_sig=signatures),
        "no signature": archive(export_bin=signed, export_sig=b""),
        "another key's name": write_archive(replace(SAMPLE, signed_by=KeyName("th", "v1")), KEY),
        "another version": write_archive(replace(SAMPLE, signed_by=KeyName("tw", "v2")), KEY),
        "another algorithm": archive(export_bin=signed, export_sig=signatures.replace(b".4.3.2", b".4.3.3")),
    }
    for what, content in attempts.items():
        with pytest.raises(Tampered):
            assert read_archive(content, TRUSTED) is None, what
    with pytest.raises(Tampered):
        read_archive(honest, {})


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_no_flipped_octet_of_the_content_passes(place: int, flip: int) -> None:
    signed, signatures = members(write_archive(SAMPLE, KEY))
    damaged = bytearray(signed)
    damaged[place % len(damaged)] ^= flip
    with pytest.raises(Tampered):
        read_archive(archive(export_bin=bytes(damaged), export_sig=signatures), TRUSTED)


@given(st.lists(KEYS, max_size=8), st.lists(KEYS, max_size=3))
@settings(max_examples=60, deadline=None)
def test_round_trip(keys: list[ExposureKey], revised: list[ExposureKey]) -> None:
    told = replace(export(*keys), revised_keys=in_export_order(revised))
    assert read_export(write_export(told)) == told
    assert read_archive(write_archive(told, KEY), TRUSTED) == told


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_random_octets_never_crash(octets: bytes) -> None:
    whole = write_archive(SAMPLE, KEY)
    for content in (octets, whole[: len(octets)], octets + whole, whole + octets, archive(export_bin=octets)):
        with contextlib.suppress(HutongError):
            assert read_archive(content, TRUSTED) == SAMPLE
    with contextlib.suppress(HutongError):
        read_export(HEADER + octets)
    with pytest.raises(HutongError):
        read_archive(archive(export_bin=HEADER + octets, export_sig=octets), TRUSTED)


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_damaged_archives_never_crash(place: int, flip: int) -> None:
    damaged = bytearray(write_archive(SAMPLE, KEY))
    damaged[place % len(damaged)] ^= flip
    with contextlib.suppress(HutongError):
        # Dates and attributes of the archive are not signed; what is read is.
        assert read_archive(bytes(damaged), TRUSTED) == SAMPLE


def test_bombs_and_oversize() -> None:
    with pytest.raises(LimitExceeded):
        read_archive(archive(export_bin=bytes(48_000_001), export_sig=b""), TRUSTED)
    with pytest.raises(LimitExceeded):
        read_archive(archive(export_bin=b"", export_sig=bytes(70_000)), TRUSTED)
    with pytest.raises(LimitExceeded):
        read_archive(bytes(16_000_001), TRUSTED)
    with pytest.raises(BadInput):
        read_archive(archive(export_bin=b"", export_sig=b"", readme_txt=b""), TRUSTED)


@pytest.mark.parametrize("part", ["2002", "2802", "3a020a00", "3a140a10" + "00" * 16 + "2000", "09" + "ff" * 8])
def test_exports_that_make_no_sense(part: str) -> None:
    with pytest.raises(BadInput):
        read_export(HEADER + bytes.fromhex(part))


def test_the_order_tells_nothing() -> None:
    keys = [ExposureKey(bytes([255 - number]) * 16, 2_664_000 + 144 * number) for number in range(5)]
    told = read_export(write_export(export(*keys))).keys
    assert [key.key_data for key in told] == sorted(key.key_data for key in keys)
    assert write_export(export(*keys)) == write_export(export(*reversed(keys)))


def test_a_key_is_not_shown_by_accident() -> None:
    assert "0001" not in repr(SAMPLE)
    assert "\\x01" not in repr(SAMPLE)
