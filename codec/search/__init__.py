"""What only an encoder needs."""
