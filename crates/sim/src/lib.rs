//! Seeded worlds, faults and the oracle.
