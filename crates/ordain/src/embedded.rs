//! A node inside your program: no server, no async runtime, no other process.
//!
//! ```
//! use ordain::prelude::*;
//! use ordain::{CallError, CallOptions, InvocationStatus, Node, Options};
//!
//! #[derive(Default, Clone, Serialize, Deserialize)]
//! struct Account {
//!     balance: i64,
//! }
//!
//! #[entity]
//! impl Account {
//!     fn deposit(&mut self, amount: i64) -> Result<i64> {
//!         ensure!(amount > 0, "bad_amount", "{amount} is not positive");
//!         self.balance += amount;
//!         Ok(self.balance)
//!     }
//!
//!     #[query]
//!     fn balance(&self) -> Result<i64> {
//!         Ok(self.balance)
//!     }
//! }
//!
//! # fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().join("data");
//! let node = Node::open(&dir, ordain::entities![Account])?;
//!
//! // Blocks until the transaction is on disk.
//! assert_eq!(node.call(Account::at("alice").deposit(5))?, 5);
//! assert_eq!(node.query(Account::at("alice").balance())?, 5);
//!
//! // A rejection is an error with your code; nothing of the call happened.
//! match node.call(Account::at("alice").deposit(-1)) {
//!     Err(CallError::Rejected(rejection)) => assert_eq!(rejection.code, "bad_amount"),
//!     other => panic!("{other:?}"),
//! }
//!
//! // The same key twice is the same call once.
//! let once = || CallOptions { idempotency_key: "order-17".parse().ok(), ..Default::default() };
//! node.call_with(Account::at("alice").deposit(1), once())?;
//! node.call_with(Account::at("alice").deposit(1), once())?;
//! assert_eq!(node.query(Account::at("alice").balance())?, 6);
//!
//! // Later, in a transaction of its own, exactly once.
//! let id = node.send(Account::at("bob").deposit(2), 60_000)?;
//! let sent = node.invocation(id)?.expect("its end is kept for a day, too");
//! assert!(matches!(sent.status, InvocationStatus::Pending { .. }));
//!
//! // Many calls in flight from one thread.
//! let mut pipeline = node.pipeline();
//! for _ in 0..100 {
//!     pipeline.submit(Account::at("carol").deposit(1))?;
//! }
//! while let Some(received) = pipeline.receive() {
//!     received.value::<i64>()?;
//! }
//!
//! // The whole state as of one seq, while the node goes on; and a directory made of it.
//! let mut backup = Vec::new();
//! node.backup(&mut backup, &mut |_| {})?;
//! # let other = dir.with_file_name("other");
//! ordain::restore(&backup[..], &other, &Options::default(), &mut |_| {})?;
//!
//! node.stop(); // takes a checkpoint: the next open has nothing to replay
//!
//! let node = Node::open(&other, ordain::entities![Account])?;
//! assert_eq!(node.query(Account::at("carol").balance())?, 100);
//! # Ok(())
//! # }
//! ```
//!
//! [`Node::call_async`](crate::Node::call_async) and [`Node::query_async`](crate::Node::query_async) give
//! futures that run on any executor. Handles are cheap to clone and to share between threads; nodes in
//! different directories live side by side in one process.
