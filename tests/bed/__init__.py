"""Several hosts on one machine, for tests of runs that are spread over them."""
