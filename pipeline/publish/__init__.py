"""Publishing: every zip in every region, exactly once, and recorded in the registry.

Publishing is reconciliation. A *target* is one zip in one region. Ocelot observes what AWS has of
it, plans the steps that are missing, and applies them; a second run of the same command therefore
resumes, repairs permissions or fills in rows, and publishes nothing twice.

It starts in `run.py`, whose `publish` lists the stages in their order:

1. `request.py` turns the user's options into a `PublishRequest`: the packages, the regions, who may
   use the layers. `package.py` reads a zip and its manifest into a `Package`, and makes the request
   that uploads it.
2. `run.preflight` checks identity, account and registry, before any work that they could make
   useless. The bench (`pipeline.bench`) runs the layers.
3. `turns.py` waits until no other process on this machine publishes or deletes the same layers.
4. `reconcile.py` works on one target, each in its own thread: `observe.py` finds the layer version
   of the same content, `plan.py` decides the steps (pure), and a function for each `PublishStep`
   applies it: publish, make public, make private, share, record, set parameters
   (`parameters.py`).
5. The result is reported, and an error names each target that failed. A failure stops no other
   target: `errors.Attempt` turns it into the target's error line.

`published.py` reads publish.json, the record of a publication, and makes the registry's rows of it.
`fetch.py` is a command of its own: it downloads published layers from every region and checks that
AWS serves what was published.
"""
