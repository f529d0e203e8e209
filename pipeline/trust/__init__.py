"""Roles for GitHub Actions: which jobs may assume a role, and how ocelot assumes one.

A job in GitHub Actions gets an OIDC token from GitHub whose subject names its repository and its
environment or branch. AWS exchanges the token for a role's credentials if the role's trust policy
accepts that subject. `oidc/` has the CloudFormation template for such roles.

- `token.py` gets the token: from GitHub, from a variable or from a file. Publishing uses it when it
  assumes a role (`aws/session.py`).
- `job.py` is one job: its repository, and the subjects that its token may have. `template.py` asks
  GitHub, by `gh`, of which claims it makes them.
- `policy.py` reads a role's trust policy into statements, and decides which subjects it accepts.
- `check.py` compares policy and job for `ocelot oidc check`: `trust_findings` lists what is right
  and what is wrong, with a remedy; further functions check the OIDC provider and the table.
"""
