"""The world around the domain: the store in its forms, and the clock."""
