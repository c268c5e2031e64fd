"""`python -m rnnproof`."""

import sys

from rnnproof.cli.main import main

sys.exit(main())
