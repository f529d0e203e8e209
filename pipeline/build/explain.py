"""Link a build once more, to explain why the linker keeps unused methods."""

from __future__ import annotations

from pipeline import progress
from pipeline.build.compile import Compiler, Workspace, workspace
from pipeline.build.linking import Chain, LinkedSymbols, chains, explanations
from pipeline.build.packages import listed_imports
from pipeline.build.plan import BuildPlan, LayerPlan
from pipeline.build.recipe import dumping_step, imports_step
from pipeline.layer.elf import read_elf
from pipeline.layer.unused_methods import read_unused_methods


async def explain_size(plan: BuildPlan, compiler: Compiler) -> tuple[str, ...]:
    """Return, and report, a sentence for each function for which unused methods are kept.

    Raises:
        OcelotError: see `apply_plan`.
    """
    async with workspace(plan.tree, plan.prepare(), compiler) as work:
        found = {each.file: await _chains(each, work) for each in plan.layers}
    notes = explanations(found)
    for note in notes:
        progress.note(note)
    return notes


async def _chains(layer: LayerPlan, work: Workspace) -> tuple[Chain, ...]:
    imports = listed_imports(await work.run(imports_step(layer.modules)))
    symbols = LinkedSymbols()
    binary = await work.compiled(dumping_step(layer.step), symbols.take)
    return chains(symbols, imports, read_unused_methods(read_elf(binary)).kept_for)
