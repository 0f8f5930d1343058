"""The command line, one file for each stage. Commands parse, call one action, and print; they hold no rule."""
