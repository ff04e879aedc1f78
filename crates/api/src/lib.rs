//! JSON and HTTP wire shapes and the table of public error codes.
