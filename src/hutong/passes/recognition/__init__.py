"""Recognition: what a pass of another region is worth here, and how levels read across regions."""
