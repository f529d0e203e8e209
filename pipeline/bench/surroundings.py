"""The environment variables that Lambda gives to an extension. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
An extension has those of the function but for some of the runtime's own (`_HANDLER`,
`LAMBDA_TASK_ROOT`, `AWS_EXECUTION_ENV` and others):
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.bench.events import FUNCTION, MEMORY_MB, REGION, VERSION

CONFIG_URI = "OPENTELEMETRY_COLLECTOR_CONFIG_URI"


def extension_environment(
    address: str, config: str, *, has_sandbox_name: bool, more: Mapping[str, str]
) -> dict[str, str]:
    """All that an extension finds in its environment.

    Args:
        address: host and port of the stand-in's APIs.
        config: where the collector's configuration is.
        has_sandbox_name: whether `sandbox.localdomain`, the name under which an extension of
            Lambda's listens, is one of this machine. If not, it is told what AWS SAM tells it.
        more: variables of the function's own.
    """
    return {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "BENCH",  # there are some, and nobody takes them
        "AWS_SECRET_ACCESS_KEY": "BENCH",
        "AWS_SESSION_TOKEN": "BENCH",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/opt/lib",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "TZ": ":UTC",
        **({} if has_sandbox_name else {"AWS_SAM_LOCAL": "true"}),
        **more,
        CONFIG_URI: config,
    }
