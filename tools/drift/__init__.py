"""Drift: the differences between a stack's template and its live domains. This only reads.

    python -m tools.drift --stack NAME

    account.py   reads CloudFormation and other services
    stacks.py    a stack, and the values that the functions in its template can refer to
    template.py  reads YAML with the short forms of functions
    resolve.py   replaces intrinsic functions by their values, if these can be known
    compare.py   compares with the handler's own translation and comparison
    report.py    prints a table, or JSON for a pipeline

CloudFormation's own drift detection skips custom resources:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""
