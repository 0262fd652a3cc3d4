"""``dct`` as the encoder still searches it; what a file says about a picture is `codec.dct.blocks.CodedBlocks`."""
