"""Everything that people and programs read of a result: tables, Markdown, JSON, CSV, messages.

`rendering` has the `Report`, a table with notes as a value, and prints it; `summary` returns it as
Markdown for a GitHub job, shortened to what GitHub shows, with texts escaped by `markdown`. Most
other files are named after a command and have two functions for its result: `..._report` returns
the `Report`, `..._json` the same for programs. `messages` prints the progress of the work and the
error that ended it on standard error. `layers` also writes CSV.

Only this room and `cli/` print.
"""

NARROWEST = 20  # columns of a screen; with fewer nothing can be read
