"""Finds mistakes in a template before it is deployed: a JSON Schema and a rule for cfn-lint."""
