"""Move a function's `$LATEST` to the newest layer versions."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pipeline.aws.functions import FunctionChangedError, FunctionState, RegionFunctions
from pipeline.aws.layers import RegionClient
from pipeline.errors import Attempt, AwsError
from pipeline.usage.observe import stored
from pipeline.usage.plan import FunctionUse, LayersSeen

# AWS takes seconds for an update, minutes for a function in a VPC. `aws lambda wait
# function-updated` gives up after the same time.
WAIT_SECONDS = 300.0
POLL_SECONDS = 1.0
_LATER = "look at it in a while: ocelot layers used"


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveOutcome:
    """The outcome of moving one function.

    Attributes:
        use: the function as it was planned.
        layers: that it has now; as planned, unless it changed meanwhile.
        changed: True if it had changed since it was read, and was decided upon again.
        error: why it was not moved; empty if it was.
    """

    use: FunctionUse
    layers: tuple[str, ...] = ()
    changed: bool = False
    error: str = ""
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """True if the function has the newest layer versions."""
        return not self.error


def move_function(use: FunctionUse, client: RegionClient, layers: LayersSeen) -> MoveOutcome:
    """Move a function and return the outcome, an error included. It blocks.

    Args:
        use: of `$LATEST`, as it was observed and shown.
        client: of the region.
        layers: the layer versions of the region.
    """
    started = time.monotonic()
    mover = _Mover(use=use, client=client, layers=layers, functions=RegionFunctions(client))
    with Attempt() as attempt:
        mover.move()
    return MoveOutcome(
        use=use,
        layers=mover.layers_set,
        changed=mover.changed,
        error=attempt.error,
        seconds=time.monotonic() - started,
    )


@dataclass(kw_only=True)
class _Mover:
    """Moves one function.

    Attributes:
        layers_set: the layers that it has by this run or another.
        changed: True once the function was found to have changed.
    """

    use: FunctionUse
    client: RegionClient
    layers: LayersSeen
    functions: RegionFunctions
    layers_set: tuple[str, ...] = ()
    changed: bool = False

    def move(self) -> None:
        """Set the layers as planned; if the function has changed, look and decide once more.

        Raises:
            AwsError: it was not moved.
        """
        if self.use.blocked:
            raise AwsError(self.use.blocked)
        try:
            self._set(self.use.moved, self.use.function.revision)
        except FunctionChangedError:
            self.changed = True
            state = self._settled()
            wanted = self._decided(state.latest.layers)
            if wanted == state.latest.layers:  # by this run, or by someone else
                self._check(state)
                self.layers_set = wanted
                return
            self._set(wanted, state.latest.revision)
        self._check(self._settled())

    def _set(self, layers: tuple[str, ...], revision: str) -> None:
        self.functions.set_layers(self.use.function.arn, layers, revision)
        self.layers_set = layers

    def _decided(self, layers: tuple[str, ...]) -> tuple[str, ...]:
        """Return the layers that a function should have, which may have got other ones."""
        scope, region = self.layers.scope, self.client.region
        new = scope.own(layers, region) - scope.own(self.use.function.layers, region)
        known = (stored(self.client, each) for each in sorted(new, key=str))
        self.layers = self.layers.with_versions(arn for arns in known for arn in arns)
        return self.layers.moved(layers)

    def _settled(self) -> FunctionState:
        """Return the function's state once no update is in progress.

        Raises:
            AwsError: it was deleted, or the update takes too long.
        """
        give_up = time.monotonic() + WAIT_SECONDS
        while True:
            state = self.functions.state(self.use.function.arn)
            if state is None:
                raise AwsError("the function was deleted meanwhile", hint="leave it out")
            if not state.updating:
                return state
            if time.monotonic() >= give_up:
                raise AwsError(
                    f"AWS is still updating it after {WAIT_SECONDS:.0f} seconds", hint=_LATER
                )
            time.sleep(POLL_SECONDS)

    def _check(self, state: FunctionState) -> None:
        """Check that the last update succeeded.

        Raises:
            AwsError: it failed.
        """
        if state.failure:
            raise AwsError(
                f"AWS could not update it: {state.failure}",
                hint="the function runs on as it was; remove the cause, then run the same "
                "command again",
            )
