"""A further kind of request, as an app would add it: another quota, with two approvers and an auditor."""
