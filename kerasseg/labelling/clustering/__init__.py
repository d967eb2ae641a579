"""Which tiles are alike, by their codes: clusters, and a plane to look at them."""
