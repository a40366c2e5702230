"""How it is measured: clocks, processes that take turns, programs that suites start."""
