"""Views: what a page is set to and what follows from it, without Panel; a test drives them with no browser."""
