"""Reading runs: statistics, comparisons, plots, reports."""
