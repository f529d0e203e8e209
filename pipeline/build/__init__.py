"""The build: from a distribution's name to finished zips in memory.

It starts at `request.py`: `plan_build` turns a `BuildRequest` into a `BuildPlan`, which
`apply.py` carries out. The stages:

1. Upstream: `upstream.py` resolves the ref and reads the commit's files (`git.py` runs git,
   `refs.py` looks refs up, `source_files.py` chooses the files that a build can need,
   `commits.py` caches commits; `sources.py` reads a folder that `ocelot sources` filled).
   `overlay.py` reads what the configuration adds.
2. Plan, without any effect (`plan.py`): `components.py` adds Go files for custom components,
   `tuning.py` edits upstream's files, `recipe.py` lists the runs of Go, `lock.py` says if the
   lock's entry still holds. `source_checks.py` refuses sources that cannot be built, `gofiles.py`
   finds the overlay's files that Go would not compile.
3. Compile and pack (`apply.py`): `store.py` finds the zips that are in the cache; `compile.py`
   runs the pinned Go (`toolchain.py`) for the others, each architecture in a task of its own, once
   the modules are those of go.sum (`integrity.py`). `packages.py` reads the list of packages, which
   `countdown.py` counts; `failure.py` turns what Go prints into an error that says what to do.
   On request `explain.py` links once more, and `linking.py` finds out why unused methods are kept.

Two commands use the same plan: `locking.py` writes the lock, `bundling.py` packs a file
(`bundle.py`) from which a build needs no network. Evidence and the output folder come after a
build, in `pipeline/supply/`; the order of all stages is in `pipeline/release.py`.
"""
