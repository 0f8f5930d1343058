"""The web door: pages and API. It parses, calls one action, and renders; it holds no rule."""
