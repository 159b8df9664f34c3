"""Programs that measure: rates, speed, memory, determinism."""
