"""Streams of packed symbols, and zstd blocks, made by hand from the specification."""

CONTEXTS = 114  # of a plane of 8 bits
DIGITS_A_BYTE = {2: 8, 4: 4, 6: 3, 16: 2}


def varint(value):
    groups = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([group | 128 for group in groups[:-1]] + groups[-1:])


def plain(symbols):
    """Symbols packed as they are."""
    return b"\0" + bytes(symbols) if len(symbols) else b""


def compressed(blocks, one=False):
    """Blocks of zstd, or the content of one, as packed symbols."""
    return varint(6 + 2 * len(blocks) + (not one)) + blocks


def bomb(size):
    """Blocks of ``size`` zero bytes, up to 128 KiB in each, which is four bytes."""
    blocks = [1 << 17] * (size >> 17) + [size & 0x1FFFF] * (size & 0x1FFFF > 0)
    heads = [(length << 3) | (1 << 1) | (number == len(blocks) - 1) for number, length in enumerate(blocks)]
    return b"".join(value.to_bytes(3, "little") + b"\0" for value in heads)


def plain_stream(pictures, substream_of):
    """A stream of context substreams in plain bytes; of each picture a list of symbols for each of them."""
    count = len(pictures[0])
    head = bytes([count]) + (plain(substream_of) if count > 1 else b"")
    sizes = b"".join(varint(len(symbols)) for of_picture in pictures for symbols in of_picture)
    return (
        head + sizes + b"".join(plain(b"".join(map(bytes, of_context))) for of_context in zip(*pictures, strict=True))
    )
