"""`python -m rnnproof`."""

import sys

from rnnproof.cli import main

sys.exit(main())
