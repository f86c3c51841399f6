"""Pages: Panel layout of the views. Everything with a callback lives here and not in a served script, whose globals go
when the browser's session ends."""
