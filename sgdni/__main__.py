"""``python -m sgdni`` is the ``sgdni`` command."""

import sys

from sgdni_command import main

sys.exit(main())
