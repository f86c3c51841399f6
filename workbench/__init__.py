"""Circuit workbench: see how transformers compute."""
