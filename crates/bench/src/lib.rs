//! Workloads: load, drive, measure, check the invariant.
