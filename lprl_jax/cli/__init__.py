"""The command line: `lprl demo`, `lprl train`, and the rest."""
