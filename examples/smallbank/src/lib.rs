//! The smallbank application.
