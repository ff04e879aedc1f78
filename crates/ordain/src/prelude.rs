//! All that a file of entities needs: `use ordain::prelude::*;`.
//!
//! `Serialize` and `Deserialize` are serde's; their derives want `serde` among your own dependencies.

pub use serde::{Deserialize, Serialize};

pub use crate::{
    Context, Entities, Key, QueryContext, Rejection, Result, SendId, Seq, Timestamp, WithDetails,
    ensure, entities, entity, json, reject,
};
