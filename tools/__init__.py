"""Commands that generate files of this repository, measure, or compare deployed stacks. Not part of the function."""
