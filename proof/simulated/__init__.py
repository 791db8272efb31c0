"""The world of `proof.simulation`: time, hosts, a network, a store, and the players of one user."""
