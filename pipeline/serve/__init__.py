"""``remove-objects serve``: a local HTTP service; a photo in; result, mask and outcome out."""
