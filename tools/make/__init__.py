"""Programs that make what is normative or ships: vectors, tables, weights, profiles, pages."""
