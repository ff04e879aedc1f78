//! The marketplace application.
