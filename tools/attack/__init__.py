"""Programs that attack decoders and commands: mutated files, fuzzing, faults of the machine."""
