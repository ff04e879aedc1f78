//! Tests of your entities: a node in memory, with virtual time, that can be looked into and crashed.
//!
//! ```
//! use std::time::Duration;
//!
//! use ordain::TestNode;
//! use ordain::prelude::*;
//!
//! #[derive(Default, Clone, Serialize, Deserialize)]
//! struct Reminder {
//!     text: String,
//!     rung: u32,
//! }
//!
//! #[entity]
//! impl Reminder {
//!     fn set(cx: &mut Context<Self>, text: String) -> Result<()> {
//!         cx.state_mut().text = text;
//!         let me = Reminder::at(cx.key().as_str()).ring();
//!         cx.send_after(Duration::from_secs(3600), me);
//!         Ok(())
//!     }
//!
//!     fn ring(&mut self) -> Result<()> {
//!         self.rung += 1;
//!         Ok(())
//!     }
//! }
//!
//! let node = TestNode::new(ordain::entities![Reminder]);
//! node.call(Reminder::at("tea").set("drink it".into())).unwrap();
//!
//! node.advance(Duration::from_secs(3599));
//! assert_eq!(node.state::<Reminder>("reminder/tea").unwrap().rung, 0);
//!
//! let (node, recovered) = node.crash(); // as kill -9 would
//! assert!(recovered.replayed > 0);
//!
//! node.advance(Duration::from_secs(1));
//! assert_eq!(node.state::<Reminder>("reminder/tea").unwrap().rung, 1);
//! ```
