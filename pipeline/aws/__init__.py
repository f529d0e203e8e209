"""AWS: the only modules that import boto3, with the calls that ocelot uses and no others.

It starts in `session.py`: an `Aws` is one identity (the environment's, or a role that is assumed by
an OIDC token) and makes the clients, with their time limits and retries. On it stands one file for
each service:

- `layers.py`: Lambda. `RegionClient` lists, reads, publishes and shares the layer versions of one
  region at the pace that AWS allows; the functions beside it download a published zip.
- `s3.py`: the bucket of a region, for zips that are too large for a request to Lambda.
- `dynamodb.py`: a table and its items. The registry gives them their meaning.
- `ssm.py`: the parameters of a region, at the pace that AWS allows.
- `iam.py`: a role's trust policy and the OIDC provider that it names.

`pace.py` delays the requests to a service to the rate that AWS accepts.
`providers.py` makes errors of ocelot of what goes wrong while credentials are obtained, and ends
the programs that give them. `credentials.py` refuses credentials with a blank or a line end before
they are sent.
`errors.py` turns boto3's exceptions into errors of ocelot, with a hint for each of AWS' codes.
`regions.py` decides in which regions a command works: pure, from the user's option, regions.yaml
and the regions that have Lambda.
"""
