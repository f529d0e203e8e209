"""GitHub: output for its Actions, and the one door to its API.

`annotations` makes workflow commands, which the runner shows at a file and line of the repository,
and appends to the summary of a job. It also changes lines of other programs that the runner would
take for commands.

A release is made in these stages:
1. `releases` observes what GitHub has of the tag: releases, drafts too, their assets, the commit.
2. `plan` decides: a pure function, which creates, adds and publishes, or refuses what differs.
3. `apply` does one stage of the plan (create the draft, upload, publish), then looks again.

`pull_requests` finds, opens and updates pull requests.

`api` sends the requests: it alone imports githubkit and httpx, which a plain installation lacks, as
`installation` tells. It repeats what is safe to repeat, and waits for rate limits.
"""
