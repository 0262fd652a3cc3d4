"""Where the packets of a file lie."""

import struct


def places_of(data):
    """(kind, offset, end) of every packet of a whole file."""
    found, offset = [], 8
    while offset < len(data):
        end = offset + 12 + struct.unpack_from("<I", data, offset + 4)[0]
        found.append((data[offset : offset + 4], offset, end))
        offset = end
    return found
