"""Hidden pictures and arrangements, element by element."""
