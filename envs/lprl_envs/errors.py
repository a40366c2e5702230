"""The one error that means: what was asked for cannot be done, and here is what can."""


class InvalidInput(ValueError):
    """Bad input. The message is one line: what was found, and what would be right."""
