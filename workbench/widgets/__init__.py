"""Components drawn on canvas, from one JavaScript source for JupyterLab, Panel and a file of HTML."""
