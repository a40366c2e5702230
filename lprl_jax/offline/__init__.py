"""Data that others have gathered: collecting it, keeping it in files, learning from it alone."""
