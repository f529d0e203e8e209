"""What is known of a layer: what is inside it, where it came from, whether it is what it claims."""
