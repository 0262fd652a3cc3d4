"""Everything that only an encoder needs."""
