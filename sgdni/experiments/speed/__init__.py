"""Is it faster? Contenders on real workers, swept over what matters, and the break-even map."""
