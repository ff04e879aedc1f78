//! The transfer application.
