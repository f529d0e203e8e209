"""What a layer is: its zip, its manifest, its limits, and how a finished zip is read."""
