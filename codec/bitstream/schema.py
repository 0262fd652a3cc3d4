"""Every structure of the file, declared once; reading and writing both come from here (spec 5).

All integers are unsigned and little-endian.
`test_spec` holds these declarations against the tables of format_spec.md.
"""

from __future__ import annotations

import enum

from construct import (
    Array,
    Bytes,
    GreedyBytes,
    If,
    Int8sl,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64ul,
    PrefixedArray,
    Struct,
    Terminated,
    this,
)

__all__ = [
    "ATTACHMENT",
    "ATTACHMENTS",
    "CRC",
    "END",
    "FLOAT",
    "HAS_MESH",
    "INDEX_ENTRY",
    "KIND_ATTACHMENTS",
    "KIND_END",
    "KIND_INDEX",
    "KIND_METADATA",
    "KIND_PICTURES",
    "KIND_SEQUENCE",
    "METADATA",
    "PACKET_HEADER",
    "PICTURES",
    "PICTURE_ATTACHMENTS",
    "SAME_ALPHA",
    "SAME_QPS",
    "SEQUENCE_HEADER",
    "SIGNATURE",
    "VERSION",
    "StreamId",
    "record_dtype",
]

# As PNG's: not text (high bit), a name to see, then what transfers in text mode change (spec 5.1)
SIGNATURE = b"\x8bMVZ\r\n\x1a\n"
VERSION = (0, 17)

# An upper-case first letter marks a packet that a reader must understand
KIND_SEQUENCE = b"SEQH"
KIND_PICTURES = b"PICS"
KIND_METADATA = b"meta"
KIND_ATTACHMENTS = b"atts"
KIND_INDEX = b"indx"
KIND_END = b"ENDS"

PACKET_HEADER = Struct("kind" / Bytes(4), "length" / Int32ul)
CRC = Int32ul

SEQUENCE_HEADER = Struct(
    "major" / Int8ul,
    "minor" / Int8ul,
    "width" / Int32ul,
    "height" / Int32ul,
    "sample_format" / Int8ul,
    "bit_depth" / Int8ul,
    "colour_matrix" / Int8ul,
    "colour_primaries" / Int8ul,
    "colour_transfer" / Int8ul,
    "colour_range" / Int8ul,
    "chroma_siting" / Int8ul,
    "rate_numerator" / Int32ul,
    "rate_denominator" / Int32ul,
    "residual_coder" / Int8ul,
    "motion_model" / Int8ul,
    "log2_cell_size" / Int8ul,
    "vector_limit" / Int16ul,
    "gop_limit" / Int16ul,
    "max_error" / Int16ul,
    "coded_format" / Int8ul,
    Terminated,
)

QUANTISER = Struct("step_256" / Int16ul, "zero_point" / Int8ul)

# Added to the references of a picture
HAS_MESH = 64  # that a mesh predicts
SAME_QPS = 128  # that has the quantisers of the one before

FLOAT = 128  # added to the bits of samples that stand for binary16 numbers

SAME_ALPHA = 255  # in place of predictor sets: ``dct`` codes no alpha of the picture

PICTURE_HEADER = Struct(
    "references" / Int8ul,
    "checksum" / Int32ul,
    "qps" / If(this.references < SAME_QPS, Array(this._params.qps, Int8sl)),
    "quantisers" / Array(this._params.quantised_planes, QUANTISER),
    "predictor_set_counts" / Array(this._params.weighted_planes, Int8ul),
)

STREAM_HEADER = Struct("id" / Int8ul, "length" / Int32ul)

PICTURES = Struct(
    "first_picture" / Int32ul,
    "pictures" / PrefixedArray(Int16ul, PICTURE_HEADER),
    "log2_mini_gop" / If(this._params.qps > 0, Int8ul),
    "streams" / PrefixedArray(Int8ul, STREAM_HEADER),
    "data" / GreedyBytes,
)

METADATA_ENTRY = Struct(
    "key_length" / Int8ul,
    "key" / Bytes(this.key_length),
    "value_length" / Int16ul,
    "value" / Bytes(this.value_length),
)

METADATA = Struct("entries" / PrefixedArray(Int16ul, METADATA_ENTRY), Terminated)

ATTACHMENT = Struct("key_length" / Int8ul, "key" / Bytes(this.key_length), "value_length" / Int32ul)

PICTURE_ATTACHMENTS = Struct("numbers" / PrefixedArray(Int8ul, Int16ul))

ATTACHMENTS = Struct(
    "first_picture" / Int32ul,
    "shared_count" / Int16ul,
    "attachments" / PrefixedArray(Int16ul, ATTACHMENT),
    "pictures" / PrefixedArray(Int16ul, PICTURE_ATTACHMENTS),
    "data" / GreedyBytes,
)

INDEX_ENTRY = Struct("length" / Int32ul, "picture_count" / Int16ul, "starts_gop" / Int8ul)

END = Struct("picture_count" / Int32ul, "index_offset" / Int64ul, Terminated)


class StreamId(enum.IntEnum):
    """What a stream holds (spec 6.1); the value is its id in the file."""

    NAMES = 0
    VECTORS = 1
    MODES = 2
    WEIGHTS = 3
    PREDICTOR_SETS = 4
    CONTEXT_SUBSTREAMS = 5
    RESIDUAL = 6
    BLOCK_NODES = 7
    BLOCK_MODES = 8
    BLOCK_VECTORS = 9
    BLOCK_LEVELS = 10
    BITS = 11
    ALF = 12
    VALUE_MAPS = 13
    ALPHA_WEIGHTS = 14
    ALPHA_SETS = 15
    ALPHA_SUBSTREAMS = 16
    ALPHA_BITS = 17
    ALPHA_MAP = 18
    PREDICTION_WEIGHTS = 19


def record_dtype(declaration: Struct) -> list[tuple[str, str]]:
    """A structure of whole numbers as a numpy dtype: arrays of records are read a thousand times faster so."""
    return [(part.name, f"<u{part.sizeof()}") for part in declaration.subcons]
