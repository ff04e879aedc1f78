//! The command line, with the entities it is given.
