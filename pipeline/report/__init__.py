"""Everything that people and programs read of a result: tables, Markdown, JSON, CSV, messages.

`rendering` has the `Report`, a table with notes as a value, and its forms. Every other file is
named after a command and has two functions for its result: `..._report` returns the `Report` for a
screen and for the summary of a GitHub job, `..._json` the same for programs. `messages` prints the
progress of the work and the error that ended it on standard error. `layers` also writes CSV.

Only this room and `cli/` print.
"""

NARROWEST = 20  # columns of a screen; with fewer nothing can be read
