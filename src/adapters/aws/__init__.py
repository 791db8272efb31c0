"""Calls to AWS: by boto3, or where that is safe by signed HTTP requests of our own."""
