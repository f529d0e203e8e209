"""Output for GitHub Actions: annotations and job summaries.

`annotations` makes workflow commands, which the runner shows at a file and line of the repository,
and appends to the summary of a job. It also changes lines of other programs that the runner would
take for commands. Nothing here calls GitHub's API.
"""
