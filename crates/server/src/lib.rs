//! The HTTP API: auth, limits, metrics.
