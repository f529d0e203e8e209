"""Keep the registry in step with the layers that there are."""
