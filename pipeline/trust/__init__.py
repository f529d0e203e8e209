"""Who may take on a role: GitHub's tokens, trust policies, and the template that makes them."""
