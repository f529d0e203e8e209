"""Lines that add a layer to a function, for the tools in which functions are defined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.registry.row import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """A line to copy.

    Attributes:
        tool: its name.
        language: of the line, for its colours.
    """

    tool: str
    language: str
    line: str


def snippets(rows: Sequence[Row], parameters: Sequence[str] = ()) -> Iterator[Snippet]:
    """Yield a line for each tool.

    Where all regions have the same version number, the region is a variable of the tool; else the
    line has the ARN of the first region.

    Args:
        rows: of one architecture, sorted by region; at least one.
        parameters: names of the parameters in SSM that name the layer version.
    """
    first = str(rows[0].arn)
    anywhere = len(rows) > 1 and len({_without_region(row) for row in rows}) == 1

    def quoted(variable: str, quotes: str = '"') -> str:
        arn = str(replace(rows[0].arn, region=variable)) if anywhere else first
        return f"{quotes}{arn}{quotes}"

    sub = "!Sub " if anywhere else ""
    yield Snippet(
        tool="AWS SAM", language="yaml", line=f"Layers: [{sub}{quoted('${AWS::Region}')}]"
    )
    quotes = "`" if anywhere else '"'
    arn = quoted("${cdk.Stack.of(this).region}", quotes)
    yield Snippet(
        tool="AWS CDK",
        language="ts",
        line=f'lambda.LayerVersion.fromLayerVersionArn(this, "Collector", {arn})',
    )
    yield Snippet(
        tool="Terraform",
        language="hcl",
        line=f"layers = [{quoted('${data.aws_region.current.region}')}]",
    )
    yield Snippet(
        tool="Serverless Framework",
        language="yaml",
        line=f"layers: [{quoted('${aws:region}')}]",
    )
    for each in parameters:
        yield Snippet(
            tool="AWS SAM or CloudFormation, by the parameter in SSM",
            language="yaml",
            line=f'Layers: ["{{{{resolve:ssm:{each}}}}}"]',
        )
    yield Snippet(
        tool="AWS CLI",
        language="sh",
        line="aws lambda update-function-configuration --function-name NAME "
        f"--region {rows[0].region} --layers {first}",
    )


def _without_region(row: Row) -> str:
    return str(replace(row.arn, region=""))
