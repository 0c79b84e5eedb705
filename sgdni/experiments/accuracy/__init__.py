"""The main comparison: contenders side by side, figures with medians and spreads."""
