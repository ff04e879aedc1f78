//! Ids, commands, outcomes, limits and the encoding of everything that is persisted.
