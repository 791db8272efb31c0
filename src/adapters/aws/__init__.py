"""How AWS is called: by boto3, or by signed HTTP requests of our own where that is safe."""
