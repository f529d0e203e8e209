"""The build: from a distribution's name to finished zips in memory.

It starts at `request.py`: `plan_build` turns a `BuildRequest` into a `BuildPlan`, which
`apply.py` carries out. The stages:

1. Upstream: `upstream.py` resolves the ref and reads the commit's files (`git.py` runs git,
   `commits.py` caches commits; `sources.py` reads a folder that `ocelot sources` filled).
2. Plan, without any effect (`plan.py`): `components.py` adds Go files for custom components,
   `tuning.py` edits upstream's files, `recipe.py` lists the runs of Go, `lock.py` says if the
   lock's entry still holds.
3. Compile and pack (`apply.py`): `store.py` finds the zips that are in the cache; `compile.py`
   runs the pinned Go (`toolchain.py`) for the others, each architecture in a task of its own;
   `failure.py` turns what Go prints into an error that says what to do.

Two commands use the same plan: `locking.py` writes the lock, `bundling.py` packs a file
(`bundle.py`) from which a build needs no network. Evidence and the output folder come after a
build, in `pipeline/supply/`; the order of all stages is in `pipeline/release.py`.
"""
