"""Building blocks of the other packages: processes, ports, downloads, environments, Terraform, a browser."""
