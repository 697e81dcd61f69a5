"""What a start may come from: files, shipped connectomes, families of spectra, controls."""
