"""IAM's roles and OIDC providers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pipeline.aws.errors import aws_errors
from pipeline.aws.session import Aws
from pipeline.errors import AwsError
from pipeline.naming import RoleArn

if TYPE_CHECKING:
    from mypy_boto3_iam.client import IAMClient

# IAM has one endpoint for each partition, in this region.
REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-eusc": "eusc-de-east-1",
}


def trust_policy(aws: Aws, role: RoleArn) -> Mapping[str, Any]:
    """Return a role's trust policy, as parsed JSON.

    Raises:
        AwsError: there is no such role, the credentials are another account's, or AWS refuses.
    """
    with aws_errors(
        f"the role {role} cannot be read",
        "check the ARN and your own credentials (aws sts get-caller-identity); iam:GetRole "
        "must be allowed",
    ):
        client: IAMClient = aws.client("iam", REGIONS[role.partition])
        answer = client.get_role(RoleName=role.name)
    if answer["Role"]["Arn"] != role.text:
        raise AwsError(
            f"the role of that name is {answer['Role']['Arn']}, not {role}",
            hint="use credentials of the role's account, and the role's whole ARN",
        )
    # botocore parses the document; its stubs say otherwise
    return cast("Mapping[str, Any]", answer["Role"].get("AssumeRolePolicyDocument", {}))


def provider_audiences(aws: Aws, arn: str) -> tuple[str, ...] | None:
    """Return the audiences that an OIDC provider accepts; None if there is no such provider.

    Raises:
        AwsError: AWS does not answer, or refuses.
    """
    client: IAMClient = aws.client("iam", REGIONS[arn.split(":")[1]])
    with aws_errors(
        f"the provider {arn} cannot be read",
        "check your own credentials (aws sts get-caller-identity); "
        "iam:GetOpenIDConnectProvider must be allowed",
    ):
        try:
            answer = client.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        except client.exceptions.NoSuchEntityException:
            return None
    return tuple(answer["ClientIDList"])
