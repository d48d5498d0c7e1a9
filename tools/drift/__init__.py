"""Drift: what differs between a stack's template and its live domains. Only read, never changed.

    python -m tools.drift --stack NAME

    account.py   what CloudFormation and the other services say
    stacks.py    a stack, and what the functions in its template can refer to
    template.py  YAML with short forms of functions
    resolve.py   the template's intrinsic functions, as far as their values can be known
    compare.py   with the handler's own translation and comparison
    report.py    for a person, or as JSON for a pipeline

CloudFormation's own drift detection skips custom resources:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""
