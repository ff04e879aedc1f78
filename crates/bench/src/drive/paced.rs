//! Open loop on a node in this process: transactions begin at a fixed rate and latency counts from when
//! they should have begun, from one thread, for rates that a task for each would not reach.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ordain::Node;

use super::closed::{SUBMIT_AT_ONCE, queue, submit};
use super::lane::Lane;
use crate::measure::{Plan, Record};

/// How long it waits for replies at least when nothing is due: what becomes due meanwhile goes together.
const PAUSE: Duration = Duration::from_micros(100);
/// How long it waits when nothing may begin before a reply came.
const WAIT: Duration = Duration::from_secs(60);

/// Begins `rate` transactions a second until the plan is over, at most as many in flight as the lane
/// has slots; those beyond wait, and their waiting counts.
///
/// # Errors
/// If the node refuses a request: then there are more slots than its queue takes.
pub fn embedded(node: &Node, mut lane: Lane, plan: Plan, rate: f64) -> anyhow::Result<Record> {
    let due = |number: u64| plan.begin + Duration::from_secs_f64(number as f64 / rate);
    let mut pipeline = node.pipeline();
    let mut free: Vec<usize> = (0..lane.len()).rev().collect();
    // Replies come in the order of the requests: the slots in flight, oldest first.
    let mut order: VecDeque<usize> = VecDeque::new();
    let mut asks = Vec::with_capacity(SUBMIT_AT_ONCE);
    let mut replies = Vec::new();
    let (mut number, mut over) = (0, false);
    loop {
        let now = Instant::now();
        for _ in 0..SUBMIT_AT_ONCE {
            if over || due(number) > now {
                break;
            }
            let Some(slot) = free.pop() else { break };
            let first = lane.start_late(slot, due(number), now);
            over = first.is_none();
            queue(slot, first, &mut order, &mut asks, &mut pipeline)?;
            number += 1;
        }
        submit(&mut asks, &mut pipeline)?;
        if over && pipeline.in_flight() == 0 {
            return Ok(lane.into_record());
        }
        let until = match over || free.is_empty() {
            true => now + WAIT,
            false if due(number) <= now => now,
            false => due(number).max(now + PAUSE),
        };
        pipeline.receive_until(&mut replies, until);
        let now = Instant::now();
        for received in replies.drain(..) {
            let slot = order.pop_front().expect("a reply has its request");
            match lane.ended(slot, &received.reply.into(), now) {
                Some(next) => queue(slot, Some(next), &mut order, &mut asks, &mut pipeline)?,
                None => free.push(slot),
            }
        }
    }
}
