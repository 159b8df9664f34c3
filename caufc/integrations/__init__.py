"""The neighbours' own interfaces: a module for each, which needs its package."""
