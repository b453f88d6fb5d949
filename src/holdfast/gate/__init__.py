"""The gate: fine-tuning as a service that never ships a broken model."""
