"""What a layer's users can check: what is in it, where it came from, what is known against it."""
