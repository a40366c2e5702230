"""`python -m lprl_jax`: the command line."""

import sys

from lprl_jax.cli.main import main

sys.exit(main())
