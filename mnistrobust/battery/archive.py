"""Zip archives whose every byte is accounted for; read from memory, never extracted."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable

from mnistrobust.battery.refusal import MAX_FILE, RefusedError, quoted

MAX_MEMBERS = 64
MAX_RATIO = 100  # times that a member may unpack to; arrays of weights reach 2
_SMALL = 2**21  # bytes that any member may unpack to, such as the answers of a constant model
_END = struct.Struct("<4s4H2LH")
_LOCAL = struct.Struct("<4s5H3L2H")
_END_64 = b"PK\x06\x07"
_GAP = 24  # bytes of a data descriptor behind a member
_HARMLESS = 0x80E  # flags: degree of compression, descriptor behind, name in UTF-8
_BROKEN = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError,
    struct.error, zlib.error, KeyError, IndexError, OverflowError,
)  # fmt: skip


def is_zip(data: bytes) -> bool:
    """Return whether bytes begin as a zip archive with a member does."""
    return data.startswith(b"PK\x03\x04")


def members(data: bytes, allowed: Callable[[str], bool]) -> dict[str, bytes]:
    """Return the members of a zip archive by name; RefusedError for anything unusual.

    Refused are names that are not `allowed`, names twice, links, folders, encryption, other
    methods than stored and deflated, members that overlap or leave gaps, wrong sizes or sums,
    and what unpacks to more than 256 MiB in all or 100 times its size.
    """
    names, directory = _count(data), _directory_start(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) != names:
                raise RefusedError("the zip's directory and its count of members differ")
            _check_names(infos, allowed)
            _check_spans(data, infos, directory)
            return {info.filename: _unpacked(archive, info) for info in infos}
    except _BROKEN as error:
        raise RefusedError(
            f"the zip is not what its directory says: {type(error).__name__}"
        ) from error


def _directory_start(data: bytes) -> int:
    size, start = _end(data)[5:7]
    if start + size != len(data) - _END.size:
        raise RefusedError("the zip's directory is not where its end says")
    return start


def _count(data: bytes) -> int:
    """Check what ends the archive before zipfile makes an object of each member."""
    mark, disk, first_disk, here, count, _, _, comment = _end(data)
    if mark != b"PK\x05\x06" or comment or disk or first_disk or here != count:
        raise RefusedError("the zip does not end as a plain zip does: it may be truncated")
    if _END_64 in data[-_END.size - 20 : -_END.size]:
        raise RefusedError("the zip has 64-bit sizes: expected less than 256 MiB")
    if not 0 < count <= MAX_MEMBERS:
        raise RefusedError(f"the zip has {count} members: expected 1 to {MAX_MEMBERS}")
    return int(count)


def _end(data: bytes) -> tuple[bytes, int, int, int, int, int, int, int]:
    if len(data) < _END.size + _LOCAL.size:
        raise RefusedError("the zip is truncated")
    found: tuple[bytes, int, int, int, int, int, int, int] = _END.unpack(data[-_END.size :])
    return found


def _check_names(infos: list[zipfile.ZipInfo], allowed: Callable[[str], bool]) -> None:
    for info in infos:
        if info.filename != info.orig_filename or not allowed(info.filename):
            raise RefusedError(f"the zip has the unexpected member {quoted(info.orig_filename)}")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir() or kind not in {0, stat.S_IFREG}:
            raise RefusedError(f"the zip's member {quoted(info.filename)} is no regular file")
        if info.flag_bits & ~_HARMLESS:
            raise RefusedError(f"the zip's member {quoted(info.filename)} is encrypted or patched")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise RefusedError(f"the zip's member {quoted(info.filename)} is packed in a rare way")
    if len({info.filename.casefold() for info in infos}) < len(infos):
        raise RefusedError("the zip has a member twice")
    if sum(info.file_size for info in infos) > MAX_FILE:
        raise RefusedError(f"the zip unpacks to more than {MAX_FILE >> 20} MiB")
    for info in infos:
        if info.file_size > max(_SMALL, MAX_RATIO * info.compress_size):
            raise RefusedError(f"the zip's member {quoted(info.filename)} unpacks to a bomb")


def _check_spans(data: bytes, infos: list[zipfile.ZipInfo], directory: int) -> None:
    """Let members follow each other from the first byte, each as the directory says."""
    position = 0
    for info in sorted(infos, key=lambda each: each.header_offset):
        start = info.header_offset
        if not position <= start <= position + (_GAP if position else 0):
            raise RefusedError("the zip's members overlap or leave gaps")
        head = _LOCAL.unpack(data[start : start + _LOCAL.size])
        flags, method, length, extra = head[2], head[3], head[9], head[10]
        name = data[start + _LOCAL.size : start + _LOCAL.size + length]
        same = (flags, method, name) == (
            info.flag_bits, info.compress_type, info.filename.encode(),
        )  # fmt: skip
        if not same or info.extra:  # extra fields may give it another name and size
            raise RefusedError("the zip's directory and its members differ")
        position = start + _LOCAL.size + length + extra + info.compress_size
    if not position <= directory <= position + _GAP:
        raise RefusedError("the zip's members overlap or leave gaps")


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as member:
        found = member.read(info.file_size + 1)  # checks the sum where it comes to the end
    if len(found) != info.file_size:
        raise RefusedError(f"the zip's member {quoted(info.filename)} has a false size")
    return found
