"""Numbers for whoever runs the server: counted where things happen, read by Prometheus."""
