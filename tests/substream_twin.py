"""A reader and a writer of streams of queues, made from section 9.6 of the specification and not from the code."""

from __future__ import annotations

import zstandard

CONTEXTS = 14
DIGITS_A_BYTE = {2: 8, 4: 4, 6: 3, 16: 2}
BASES = [[], [16], [6, 16], [4, 16], ["2 nested", 6]]  # by scheme


class Twin:
    """Reads a stream of queues."""

    def __init__(self, data):
        self.data, self.at = data, 0

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

    def part(self, n):
        length = self.varint()
        if length == 0:
            return list(self.take(n))
        frame = b"\x28\xb5\x2f\xfd" + self.take(length)  # zstandard up to 0.23 reads none without its magic number
        numbers = zstandard.ZstdDecompressor().decompress(frame, max_output_size=1 << 20)
        assert n == len(numbers)
        return list(numbers)

    def numbers(self, n, bases):
        if n == 0:
            return []
        if not bases:
            return self.part(n)
        nested = bases[0] == "2 nested"
        b = 2 if nested else bases[0]
        k = DIGITS_A_BYTE[b]
        digits = []
        for number in self.numbers(-(-n // k), [2] if nested else []):
            assert number < b**k
            digits += [number // b ** (k - 1 - place) % b for place in range(k)]
        assert not any(digits[n:])
        digits = digits[:n]
        escapes = iter(self.numbers(digits.count(b - 1), bases[1:]))
        return [(digit + next(escapes)) % 256 if digit == b - 1 else digit for digit in digits]

    def sizes(self, pictures):
        return [[self.varint() for _ in range(CONTEXTS)] for _ in range(pictures)]

    def queues(self, pictures):
        """Of each picture a list of symbols for each context; and the scheme of each context, None without symbols."""
        sizes = self.sizes(pictures)
        schemes, symbols = [None] * CONTEXTS, [[] for _ in range(CONTEXTS)]
        for context in range(CONTEXTS):
            n = sum(of_picture[context] for of_picture in sizes)
            if n:
                end = self.varint() + self.at
                (schemes[context],) = self.take(1)
                symbols[context] = self.numbers(n, BASES[schemes[context]])
                assert end == self.at
        assert self.at == len(self.data)
        pictures = []
        for of_picture in sizes:
            pictures.append([symbols[context][:size] for context, size in enumerate(of_picture)])
            symbols = [of_context[size:] for of_context, size in zip(symbols, of_picture, strict=True)]
        return pictures, schemes


def varint(value):
    groups = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([group | 128 for group in groups[:-1]] + groups[-1:])


def framed(data):
    """Anything with its length before it."""
    return varint(len(data)) + data


def plain_stream(pictures):
    """A stream of queues in plain bytes; ``pictures`` as `Twin.queues` has them."""
    sizes = b"".join(varint(len(symbols)) for of_picture in pictures for symbols in of_picture)
    queues = (b"".join(map(bytes, of_context)) for of_context in zip(*pictures, strict=True))
    return sizes + b"".join(framed(b"\0\0" + symbols) for symbols in queues if symbols)
