"""The local replacements for AWS: the demo, the tests and `make verify` use them. They are not part of the function."""
