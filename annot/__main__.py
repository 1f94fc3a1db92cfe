"""``python -m annot``. Must not hold anything: see annot.cli."""

import sys

from annot.cli import main

sys.exit(main())
