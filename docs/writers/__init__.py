"""Writers of the reference pages: each gives one Markdown page out of the code, so that it can't say anything else."""
