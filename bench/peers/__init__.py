"""What we are measured against: programs of their own, or the same in NumPy."""
