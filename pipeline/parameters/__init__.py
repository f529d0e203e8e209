"""Parameters in SSM that name layer versions: `/ocel/minimal/arm64/latest` has an ARN as its value.

A template that says `{{resolve:ssm:/ocel/minimal/arm64/latest}}` is deployed with the newest layer
of its region; `/ocel/minimal/arm64/0.158.0` names the one of a collector version. Publishing and
`ocelot layers sync` write them by the same rules:

1. `names.py` checks a prefix and makes the names.
2. `plan.py` decides (pure) for each parameter: create, move, keep, or leave alone. A parameter is
   not moved to an older layer version or to another release group unless the user asks for it, and
   a value that is not the publisher's is never touched.
3. `apply.py` writes what was decided, and reads it back. SSM has no conditional writes: what
   another publisher wrote in between is found by the number of the parameter's version.
"""
