"""Commands that generate files of this repository or ask about deployed stacks; nothing here gets into the function."""
