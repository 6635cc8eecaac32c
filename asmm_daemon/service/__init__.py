"""What runs around the core: tasks, journal, HTTP, metrics, systemd."""
