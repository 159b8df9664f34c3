"""Programs that make, measure and attack caufc; README.md lists them."""
