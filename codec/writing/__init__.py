"""Coded pictures to bytes: what only an encoder needs of the bitstream, the inverse of `codec.bitstream`."""
