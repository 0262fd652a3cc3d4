"""A reader of packed symbols and of context substreams, made from the specification and not from the code."""

import zstandard

CONTEXTS = 14
DIGITS_A_BYTE = {2: 8, 4: 4, 6: 3, 16: 2}


class Twin:
    """Reads a stream (sections 6.2 and 9.6)."""

    def __init__(self, data):
        self.data, self.at, self.forms = data, 0, []

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data)
        return self.data[self.at - count : self.at]

    def varint(self):
        value, shift = 0, 0
        while True:
            (byte,) = self.take(1)
            value, shift = value + (byte % 128 << shift), shift + 7
            if byte < 128:
                return value

    def symbols(self, count):
        if count == 0:
            return []
        form = self.varint()
        self.forms.append(min(form, 6))
        if form == 0:
            return list(self.take(count))
        if form == 1:
            return list(self.take(1)) * count
        if form < 6:
            return self.digits(count, (2, 4, 6, 16)[form - 2])
        n = form - 6 >> 1
        frame = b"\x28\xb5\x2f\xfd\xe0" + count.to_bytes(8, "little")
        if form % 2 == 0:
            frame += (5 + 8 * n).to_bytes(3, "little")
        symbols = zstandard.ZstdDecompressor().decompress(frame + self.take(n), allow_extra_data=False)
        assert count == len(symbols)
        return list(symbols)

    def digits(self, count, base):
        k = DIGITS_A_BYTE[base]
        result = []
        for number in self.symbols(-(-count // k)):
            assert number < base**k
            result += [number // base ** (k - 1 - place) % base for place in range(k)]
        assert not any(result[count:])
        result = result[:count]
        escapes = iter(self.symbols(result.count(base - 1)))
        return [(digit + next(escapes)) % 256 if digit == base - 1 else digit for digit in result]

    def numbers(self, count):
        low, high = self.symbols(count), self.symbols(count)
        return [a + 256 * b for a, b in zip(low, high, strict=True)]

    def sizes(self, pictures):
        return [[self.varint() for _ in range(CONTEXTS)] for _ in range(pictures)]

    def substreams(self, pictures):
        """Of each picture a list of symbols for each context."""
        sizes = self.sizes(pictures)
        symbols = [self.symbols(sum(of_context)) for of_context in zip(*sizes, strict=True)]
        assert self.at == len(self.data)
        pictures = []
        for of_picture in sizes:
            pictures.append([symbols[context][:size] for context, size in enumerate(of_picture)])
            symbols = [of_context[size:] for of_context, size in zip(symbols, of_picture, strict=True)]
        return pictures


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


def plain_stream(pictures):
    """A stream of context substreams in plain bytes; ``pictures`` as `Twin.substreams` has them."""
    sizes = b"".join(varint(len(symbols)) for of_picture in pictures for symbols in of_picture)
    return sizes + b"".join(plain(b"".join(map(bytes, of_context))) for of_context in zip(*pictures, strict=True))
