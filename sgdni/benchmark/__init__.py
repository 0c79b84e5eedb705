"""The comparison: contenders side by side, figures with medians and spreads, table and JSON."""
