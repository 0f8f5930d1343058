"""Where records and lake tables are kept, and the engines that compute over them."""
