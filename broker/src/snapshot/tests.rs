//! Going back, going on twice, and files.
