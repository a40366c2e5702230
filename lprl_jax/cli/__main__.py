"""`python -m lprl_jax.cli`."""

import sys

from lprl_jax.cli.main import main

sys.exit(main())
