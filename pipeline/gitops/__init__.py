"""OpenChoreo's build-and-release workflows, without a cluster.

A release has two phases:
1. `image/` decides how the image of a commit is built, and finds one that is there already. The
   Dagger module builds it.
2. `release` writes the image into the GitOps repository, and opens a pull request there.

Phase 2 has these stages:
1. `parameters` says what is released: of options, a WorkflowRun, or the Component itself.
2. `delivery` clones the GitOps repository into memory; `repository` parses every file and finds
   its resources, and `namespace` those of one namespace.
3. `manifests` runs OpenChoreo's `occ` on a copy of the resources, and checks what it changed, also
   by the schemas of the cluster's version (`crds`). `checks` finds the gaps of the environment.
4. `delivery` commits the changed files, pushes a branch, and opens a pull request or updates it.

`promote` and `deploy` bind releases to environments in the same stages, and `changed` names the
components that a push changes.
"""
