"""Generators of documents: the API's description, Terraform's tables, the site, the README's picture."""
