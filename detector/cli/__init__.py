"""Commands of `oriole` that have a file of their own; `detector.__main__` puts them together."""
