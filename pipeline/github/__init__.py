"""What GitHub Actions is told: annotations, the job summary."""
