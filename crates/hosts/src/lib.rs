//! Runs one method of one module: native methods compiled in.
