"""The gate's HTTP server: OpenAI's fine-tuning API, and what Holdfast adds to it."""
