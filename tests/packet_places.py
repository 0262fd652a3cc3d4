"""The packets of a file: where they lie, and how one is made."""

import struct
import zlib


def packet(kind, payload=b""):
    """A packet with its CRC-32."""
    body = kind + struct.pack("<I", len(payload)) + payload
    return body + struct.pack("<I", zlib.crc32(body))


def places_of(data):
    """(kind, offset, end) of every packet of a whole file."""
    found, offset = [], 8
    while offset < len(data):
        end = offset + 12 + struct.unpack_from("<I", data, offset + 4)[0]
        found.append((data[offset : offset + 4], offset, end))
        offset = end
    return found
