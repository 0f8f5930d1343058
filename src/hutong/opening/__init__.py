"""Opening: data become releases that others can find, judge and use."""
