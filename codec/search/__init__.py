"""Everything that only an encoder needs; nothing that decodes imports it."""
