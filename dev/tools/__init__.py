"""Building blocks of the other rooms: processes and ports, downloads, environments, Terraform, a browser."""
