"""Hostile zip archives, harmless in effect, and how to write them: zipfile refuses most."""

import stat
import struct
import zlib
from dataclasses import dataclass

STORED, DEFLATED = 0, 8


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of a zip archive, as it shall look, true or not."""

    name: str
    data: bytes
    method: int = STORED
    flags: int = 0
    mode: int = stat.S_IFREG | 0o600
    size: int | None = None
    local_name: str | None = None
    extra: bytes = b""  # in the directory
    shared: bool = False  # points at the archive's first member


def zip_of(*members, comment=b"", foreword=b"", count=None):
    """A zip archive of these members, byte by byte."""
    body, directory = foreword, b""
    for each in members:
        packed = each.data
        if each.method == DEFLATED:
            packer = zlib.compressobj(9, wbits=-15)
            packed = packer.compress(each.data) + packer.flush()
        size = len(each.data) if each.size is None else each.size
        sums = (zlib.crc32(each.data), len(packed), size)
        name, local = each.name.encode(), (each.local_name or each.name).encode()
        facts = (20, each.flags, each.method, 0, 0, *sums)
        start = 0 if each.shared else len(body)
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 3 << 8 | 20, *facts, len(name), len(each.extra),
            0, 0, 0, each.mode << 16, start,
        ) + name + each.extra  # fmt: skip
        if not each.shared:
            body += struct.pack("<4s5H3L2H", b"PK\x03\x04", *facts, len(local), 0) + local + packed
    n = len(members) if count is None else count
    end = struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, n, n, len(directory), len(body), len(comment)
    )
    return body + directory + end + comment


def _ended_twice(archive):
    """The archive with a second end before its own, for files beyond 4 GiB."""
    *_, size, start, _ = struct.unpack("<4s4H2LH", archive[-22:])
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 3, 3, size, start)
    pointer = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size, 1)
    return archive[:-22] + large + pointer + archive[-22:]


def hostile_zips(meta, config, weights):
    """Zip archives that lie about what they hold, of the members of a good one."""
    good = zip_of(meta, config, weights)
    other = struct.pack("<BL", 1, zlib.crc32(config.name.encode())) + b"other.json"
    zeros = bytes(30 * 2**20)
    names = {
        "path traversal": "../config.json",
        "absolute path": "/tmp/config.json",  # noqa: S108 - never written
        "backslashes": "..\\..\\config.json",
        "drive": "C:\\config.json",
        "null in a name": "config.json\0.txt",
        "folder": "assets/",
        "pickle inside": "archive/data.pkl",
        "python inside": "__init__.py",
        "other case": "Config.json",
        "escape in a member": "\x1b[31mconfig.json",
        "right-to-left member": "\u202enosj.gifnoc",
    }
    found = {
        name: zip_of(meta, config, weights, Member(name=each, data=b"x", flags=0x800))
        for name, each in names.items()
    }
    link = Member(name="config.json", data=b"/etc/passwd", mode=stat.S_IFLNK | 0o777)
    return found | {
        "symbolic link": zip_of(meta, link, weights),
        "device": zip_of(meta, Member(name="config.json", data=b"", mode=stat.S_IFCHR), weights),
        "member twice": zip_of(meta, config, config, weights),
        "no configuration": zip_of(meta, weights),
        "no weights": zip_of(meta, config),
        "no metadata": zip_of(config, weights),
        "encrypted": zip_of(meta, Member(name="config.json", data=config.data, flags=1), weights),
        "rare method": zip_of(meta, Member(name="config.json", data=config.data, method=99), weights),
        "bomb": zip_of(meta, config, Member(name=weights.name, data=zeros, method=DEFLATED)),
        "bomb of false size": zip_of(
            meta, config, Member(name=weights.name, data=zeros, method=DEFLATED, size=40_000)
        ),
        "size too large": zip_of(meta, Member(name=config.name, data=config.data, size=10**9), weights),
        "nested bomb": zip_of(
            meta, config,
            Member(name=weights.name, data=zip_of(Member(name="a", data=zeros, method=DEFLATED))),
        ),
        "overlapping members": zip_of(meta, config, Member(name=weights.name, data=meta.data, shared=True)),
        "other local name": zip_of(
            meta, Member(name=config.name, data=config.data, local_name="evil.json!"), weights
        ),
        "foreword": zip_of(meta, config, weights, foreword=b"#!/bin/sh\ntouch canary\n"),
        "comment": zip_of(meta, config, weights, comment=b"PK\x05\x06"),
        "false count": zip_of(meta, config, weights, count=2),
        "65,535 members": zip_of(meta, config, weights, count=65535),
        "truncated": good[:-500],
        "cut at the front": good[500:],
        "only the end": zip_of(),
        "end of 64 bits": _ended_twice(good),
        "size of 64 bits": zip_of(
            meta,
            Member(
                name=config.name, data=config.data, size=2**32 - 1,
                extra=struct.pack("<2HQ", 1, 8, len(config.data)),
            ),
            weights,
        ),
        "name beside the name": zip_of(
            meta,
            Member(
                name=config.name, data=config.data,
                extra=struct.pack("<2H", 0x7075, len(other)) + other,
            ),
            weights,
        ),
        "archive behind": good + good,
        "false sum": good.replace(b"softmax", b"sigmoid"),
        "metadata of lists": zip_of(
            Member(name=meta.name, data=b'{"keras_version": ["3"]}'), config, weights
        ),
    }  # fmt: skip
