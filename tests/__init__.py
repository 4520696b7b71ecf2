"""The tests, in the same folders as the code. These are packages so that `tests/corpus` never stands in for `corpus`."""
