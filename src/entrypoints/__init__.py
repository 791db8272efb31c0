"""Where the world comes in: one Lambda handler per route, and the operator's command line."""
