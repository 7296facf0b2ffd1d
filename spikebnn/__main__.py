"""`python -m spikebnn` is the command line."""

from __future__ import annotations

import sys

from spikebnn.cli import main

sys.exit(main())
