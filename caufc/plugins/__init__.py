"""The built-in backbone families. Each registers through the same hooks as anybody else's."""
