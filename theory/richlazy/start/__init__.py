"""What learning starts from: spectra, weights, tasks, networks. Nothing here knows of time."""
