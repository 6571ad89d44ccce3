"""One self-contained HTML file from what other commands found."""
