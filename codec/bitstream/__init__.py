"""From coded pictures to bytes and back: schema, symbol streams, container."""
