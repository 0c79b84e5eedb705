"""What training does: measured on any network, changing nothing."""
