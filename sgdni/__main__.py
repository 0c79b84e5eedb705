"""``python -m sgdni`` is the ``sgdni`` command."""

import sys

from sgdni.cli import main

sys.exit(main())
