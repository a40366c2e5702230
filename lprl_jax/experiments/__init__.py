"""From a config to a run's directory, and back."""
