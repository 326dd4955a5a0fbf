"""Approvals: somebody asks, others decide on exactly what they have seen, in stages, until it is granted or has ended.

For the kinds of request that rooms above define (`workflow.Workflow`); imports the core, accounts, audit and web only.
"""
