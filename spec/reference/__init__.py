"""The reference decoder of CAUF 1.0: plain Python and numpy, written from cauf-1.0.md alone, to be read beside it."""
