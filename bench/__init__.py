"""The budgets of `make bench`: one module per measurement. Prints figures; never fails for being slow."""
