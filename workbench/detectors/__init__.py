"""What each head does: measures of where it looks, of what it writes, and the sequences they are taken on."""
