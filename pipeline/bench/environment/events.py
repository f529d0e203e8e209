"""The documents that Lambda sends to an extension, and its environment variables. Pure.

Extensions API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
Telemetry API: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
Environment: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
An extension has the function's variables except some that only the runtime has (`_HANDLER`,
`LAMBDA_TASK_ROOT`, `AWS_EXECUTION_ENV` and others).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# A JSON object.
Document = dict[str, Any]

INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
EVENTS = (INVOKE, SHUTDOWN)

ACCOUNT = "123456789012"
REGION = "us-east-1"
FUNCTION = "bench"
VERSION = "$LATEST"
HANDLER = "function.handler"
MEMORY_MB = 1769
CONFIG_URI = "OPENTELEMETRY_COLLECTOR_CONFIG_URI"
ACCESS_KEY = "AWS_ACCESS_KEY_ID"
# Lambda sets credentials; AWS accepts none of these.
_CREDENTIALS = {
    ACCESS_KEY: "BENCH",
    "AWS_SECRET_ACCESS_KEY": "BENCH",
    "AWS_SESSION_TOKEN": "BENCH",
}

_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}"
_TRACE = "X-Amzn-Trace-Id"
_ON_DEMAND = {"initializationType": "on-demand", "phase": "init"}


def registered(*, with_account: bool) -> Document:
    """Return the answer to `register`.

    Args:
        with_account: True if `Lambda-Extension-Accept-Feature` requested the account id.
    """
    answer = {"functionName": FUNCTION, "functionVersion": VERSION, "handler": HANDLER}
    return {**answer, "accountId": ACCOUNT} if with_account else answer


def refusal(kind: str, message: str) -> Document:
    """Return the body of an answer with status 400 or 403."""
    return {"errorType": kind, "errorMessage": message}


def invoke_event(request: str, *, deadline: int) -> Document:
    """Return the answer to `event/next` at an invocation.

    Args:
        request: its id, a UUID.
        deadline: when the function times out, in milliseconds since 1970.
    """
    return {
        "eventType": INVOKE,
        "deadlineMs": deadline,
        "requestId": request,
        "invokedFunctionArn": _ARN,
        "tracing": {"type": _TRACE, "value": _trace(request)},
    }


def shutdown_event(*, deadline: int) -> Document:
    """Return the answer to `event/next` at the end; Lambda writes the reason in lower case."""
    return {"eventType": SHUTDOWN, "shutdownReason": "spindown", "deadlineMs": deadline}


def telemetry(kind: str, record: Document | str, *, now: float) -> Document:
    """Return an event of the Telemetry API; time in UTC with milliseconds.

    Args:
        kind: such as `platform.start`, `function`, `extension`.
        record: a log line for `function` and `extension`.
        now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, tz=UTC).isoformat(timespec="milliseconds")
    return {"time": moment.replace("+00:00", "Z"), "type": kind, "record": record}


def init_start() -> Document:
    """Return the record of `platform.initStart`."""
    return {
        **_ON_DEMAND,
        "runtimeVersion": "provided:al2023.v1",
        "runtimeVersionArn": f"arn:aws:lambda:{REGION}::runtime:bench",
        "functionName": FUNCTION,
        "functionVersion": VERSION,
        "instanceMaxMemory": MEMORY_MB * 1024 * 1024,
    }


def init_runtime_done() -> Document:
    """Return the record of `platform.initRuntimeDone`."""
    return {**_ON_DEMAND, "status": "success"}


def init_report(milliseconds: float) -> Document:
    """Return the record of `platform.initReport`."""
    return {**_ON_DEMAND, "status": "success", "metrics": {"durationMs": round(milliseconds, 3)}}


def subscribed(name: str, types: list[str]) -> Document:
    """Return the record of `platform.telemetrySubscription`."""
    return {"name": name, "state": "Subscribed", "types": types}


def start(request: str) -> Document:
    """Return the record of `platform.start`."""
    return {"requestId": request, "version": VERSION, "tracing": _context(request)}


def runtime_done(request: str, milliseconds: float) -> Document:
    """Return the record of `platform.runtimeDone`."""
    return {
        "requestId": request,
        "status": "success",
        "tracing": _context(request),
        "metrics": {"durationMs": round(milliseconds, 3), "producedBytes": 2},
    }


def report(request: str, milliseconds: float, *, memory: int) -> Document:
    """Return the record of `platform.report`.

    Args:
        request: the invocation's id.
        milliseconds: until the last extension had finished.
        memory: the highest memory use, in bytes.
    """
    return {
        "requestId": request,
        "status": "success",
        "tracing": _context(request),
        "metrics": {
            "durationMs": round(milliseconds, 3),
            "billedDurationMs": int(-(-milliseconds // 1)),
            "memorySizeMB": MEMORY_MB,
            "maxMemoryUsedMB": memory // (1024 * 1024),
        },
    }


def extension_environment(
    address: str, config: str, *, has_sandbox_name: bool, more: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment variables of an extension.

    Args:
        address: host and port of the Extensions and Telemetry APIs.
        config: path of the collector's config.
        has_sandbox_name: True if `sandbox.localdomain`, on which extensions listen in Lambda,
            resolves to this machine. If not, AWS_SAM_LOCAL makes them listen on any address.
        more: the function's own variables.
    """
    return {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        **({} if ACCESS_KEY in more else _CREDENTIALS),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/opt/lib",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "TZ": ":UTC",
        **({} if has_sandbox_name else {"AWS_SAM_LOCAL": "true"}),
        **more,
        CONFIG_URI: config,
    }


def _trace(request: str) -> str:
    digits = request.replace("-", "")
    return f"Root=1-{digits[:8]}-{digits[8:]};Parent={digits[16:]};Sampled=1"


def _context(request: str) -> Document:
    span = request.replace("-", "")[16:]
    return {"spanId": span, "type": _TRACE, "value": _trace(request)}
