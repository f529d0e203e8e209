"""What is inside a finished layer, told by the zip alone: no sources, no Go, no network."""
