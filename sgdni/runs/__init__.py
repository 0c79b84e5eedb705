"""What defines a run: its settings, its method by name, where it is cut."""
