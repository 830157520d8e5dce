"""One module for each wire protocol; all of them pure, and none imports another."""
