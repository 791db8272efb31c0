"""Calls to AWS: by boto3, or by our own signed HTTP requests if that is safe."""
