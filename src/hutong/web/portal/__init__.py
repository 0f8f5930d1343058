"""The pages, one file for each stage. Every page is HTML that works without JavaScript, in each language."""
