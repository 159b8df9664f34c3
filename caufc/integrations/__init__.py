"""Where features live already: other libraries' own extension points, a module each, loaded by those who import it."""
