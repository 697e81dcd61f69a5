"""A page to play with: laziness of first layers and of recurrent networks, in one HTML file."""
