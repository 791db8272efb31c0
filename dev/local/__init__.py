"""The service on a developer's machine: `make run`, its page, video and CDN. Nothing here calls AWS."""
