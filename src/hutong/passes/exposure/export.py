"""Export: a signed archive of exposure keys, as phones download it.

A zip of ``export.bin`` (16 octets "EK Export v1    ", then a ``TemporaryExposureKeyExport``) and ``export.sig`` (a
``TEKSignatureList`` with an ECDSA P-256 signature over the SHA-256 of ``export.bin``). Sources: "Exposure Key Export
File Format and Verification" (Google) and "Setting Up a Key Server" (Apple), for field numbers, limits, and that
batch_num and batch_size are always 1.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hutong.errors import BadInput, LimitExceeded, Tampered

from .key import ExposureKey, ReportType
from .wire import Fields, Kind, read, write

HEADER = b"EK Export v1    "
BIN, SIG = "export.bin", "export.sig"
SIGNATURE_ALGORITHM = "1.2.840.10045.4.3.2"
MAX_ARCHIVE_BYTES = 16_000_000
MAX_BIN_BYTES = 48_000_000
MAX_SIG_BYTES = 65_536
MAX_KEYS = 750_000
_MOST_FIELDS = 64
_ECDSA = ec.ECDSA(hashes.SHA256())
_DO = "Fetch the file again."

_EXPORT: Mapping[int, Kind] = {
    1: "fixed64",
    2: "fixed64",
    3: "bytes",
    4: "int32",
    5: "int32",
    6: "bytes",
    7: "bytes",
    8: "bytes",
}
_KEY: Mapping[int, Kind] = {1: "bytes", 3: "int32", 4: "int32", 5: "int32", 6: "sint32"}
_SIGNATURE_INFO: Mapping[int, Kind] = {3: "bytes", 4: "bytes", 5: "bytes"}
_SIGNATURE: Mapping[int, Kind] = {1: "bytes", 2: "int32", 3: "int32", 4: "bytes"}


@dataclass(frozen=True, slots=True)
class KeyName:
    """By what a phone finds the public key (``SignatureInfo``): whose it is, and which of theirs."""

    id: str
    version: str


@dataclass(frozen=True, slots=True)
class Export:
    """What one archive tells: the window in which its keys became due, where, and the keys by their octets."""

    starts_at: datetime
    ends_at: datetime
    region: str
    signed_by: KeyName
    keys: tuple[ExposureKey, ...]
    revised_keys: tuple[ExposureKey, ...] = ()


def in_export_order(keys: Iterable[ExposureKey]) -> tuple[ExposureKey, ...]:
    """Keys by their random octets: the order of arrival, and who gave which, is gone."""
    return tuple(sorted(keys, key=lambda key: key.key_data))


def write_archive(export: Export, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The archive, signed. Raises LimitExceeded when phones would not take it (750,000 keys, 16 MB)."""
    if len(export.keys) + len(export.revised_keys) > MAX_KEYS:
        raise LimitExceeded(f"An export has more than {MAX_KEYS} keys.", "Publish more often.")
    content = write_export(export)
    signature = (
        write(1, "bytes", _write_name(export.signed_by))
        + write(2, "int32", 1)
        + write(3, "int32", 1)
        + write(4, "bytes", key.sign(content, _ECDSA))
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in ((BIN, content), (SIG, write(1, "bytes", signature))):
            # A fixed date: the archive's own dates would tell when the job ran.
            archive.writestr(zipfile.ZipInfo(name), member, zipfile.ZIP_DEFLATED)
    if buffer.tell() > MAX_ARCHIVE_BYTES:
        raise LimitExceeded(f"An export is larger than {MAX_ARCHIVE_BYTES} bytes.", "Publish more often.")
    return buffer.getvalue()


def read_archive(content: bytes, keys: Mapping[KeyName, ec.EllipticCurvePublicKey]) -> Export:
    """What an archive tells, once a known key's signature was found to fit.

    Raises:
        Tampered: no signature of a known key fits.
        BadInput: not such an archive.
        LimitExceeded: larger than 16 MB, inflated 48 MB, or 750,000 keys.
    """
    signed, signatures = _members(content)
    for octets in read(signatures, {1: "bytes"}, most=_MOST_FIELDS).all_octets(1):
        signature = read(octets, _SIGNATURE, most=_MOST_FIELDS)
        info = read(signature.octets(1), _SIGNATURE_INFO, most=_MOST_FIELDS)
        key = keys.get(KeyName(info.text(4), info.text(3)))
        if key is None or info.text(5) != SIGNATURE_ALGORITHM:
            continue
        try:
            key.verify(signature.octets(4), signed, _ECDSA)
        except InvalidSignature:
            continue
        return read_export(signed)
    raise Tampered("No known key signed this export.", "Fetch it again, or the issuer's keys.")


def write_export(export: Export) -> bytes:
    """The content of ``export.bin``."""
    fields = [
        write(1, "fixed64", int(export.starts_at.timestamp())),
        write(2, "fixed64", int(export.ends_at.timestamp())),
        write(3, "bytes", export.region),
        write(4, "int32", 1),
        write(5, "int32", 1),
        write(6, "bytes", _write_name(export.signed_by)),
        *(write(7, "bytes", _write_key(key)) for key in export.keys),
        *(write(8, "bytes", _write_key(key)) for key in export.revised_keys),
    ]
    return HEADER + b"".join(fields)


def read_export(content: bytes) -> Export:
    """The content of an ``export.bin``, its signature not looked at. Raises BadInput, LimitExceeded."""
    if not content.startswith(HEADER):
        raise BadInput("The file is not an exposure key export of version 1.", _DO)
    fields = read(content[len(HEADER) :], _EXPORT, most=MAX_KEYS + _MOST_FIELDS)
    if (fields.integer(4, 1), fields.integer(5, 1)) != (1, 1):
        raise BadInput("The export is one of several parts.", "Batches are always 1 of 1.")
    info = read(fields.octets(6), _SIGNATURE_INFO, most=_MOST_FIELDS)
    return Export(
        starts_at=_instant(fields.integer(1)),
        ends_at=_instant(fields.integer(2)),
        region=fields.text(3),
        signed_by=KeyName(info.text(4), info.text(3)),
        keys=tuple(_read_key(octets) for octets in fields.all_octets(7)),
        revised_keys=tuple(_read_key(octets) for octets in fields.all_octets(8)),
    )


def _write_name(name: KeyName) -> bytes:
    return write(3, "bytes", name.version) + write(4, "bytes", name.id) + write(5, "bytes", SIGNATURE_ALGORITHM)


def _write_key(key: ExposureKey) -> bytes:
    return (
        write(1, "bytes", key.key_data)
        + write(3, "int32", key.rolling_start)
        + write(4, "int32", key.rolling_period)
        + write(5, "int32", key.report_type)
        + write(6, "sint32", key.days_since_onset)
    )


def _read_key(octets: bytes) -> ExposureKey:
    fields: Fields = read(octets, _KEY, most=_MOST_FIELDS)
    try:
        report_type = ReportType(fields.integer(5, ReportType.UNKNOWN))
    except ValueError:
        # As the format has it: a value that a later version brings is not known.
        report_type = ReportType.UNKNOWN
    return ExposureKey(
        key_data=fields.octets(1),
        rolling_start=fields.integer(3),
        rolling_period=fields.integer(4, 144),
        report_type=report_type,
        days_since_onset=fields.integer(6) if 6 in fields.values else None,
    )


def _instant(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise BadInput("The export's time is impossible.", _DO) from error


def _members(content: bytes) -> tuple[bytes, bytes]:
    if len(content) > MAX_ARCHIVE_BYTES:
        raise LimitExceeded(f"The archive is larger than {MAX_ARCHIVE_BYTES} bytes.", _DO)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sorted(archive.namelist()) != [BIN, SIG]:
                raise BadInput(f"The archive does not hold {BIN} and {SIG}.", _DO)
            return _member(archive, BIN, MAX_BIN_BYTES), _member(archive, SIG, MAX_SIG_BYTES)
    # Besides its own error, the library lets these through on damaged input.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BadInput("The file is not a whole zip archive.", _DO) from error


def _member(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    with archive.open(name) as member:
        found = member.read(most_bytes + 1)
    if len(found) > most_bytes:
        raise LimitExceeded(f"{name} is larger than {most_bytes} bytes.", _DO)
    return found
