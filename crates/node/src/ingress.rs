//! The bounded queue between callers and the executor. Callers push one by one or many at once; the
//! executor takes all that waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ordain_engine::Args;
use ordain_types::{Bug, Call, Command, planted};

use crate::door::Refused;
use crate::node::Op;
use crate::reply::{Owed, Unavailable};

/// One request in the queue.
pub(crate) struct Item {
    pub work: Work,
    pub reply: Owed,
}

/// What is to be done.
pub(crate) enum Work {
    /// A command for the log.
    Update {
        command: Command,
        /// Its arguments, where they are decoded.
        args: Option<Args>,
    },
    /// Something that only reads.
    Read(Op),
    /// Take a checkpoint as of now and answer when it is applied.
    Checkpoint,
}

impl Work {
    /// The call that it is, if it is one.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Work::Update { command, .. } => command.call(),
            Work::Read(Op::Query { accepted, .. } | Op::Call(accepted)) => Some(&accepted.call),
            Work::Read(_) | Work::Checkpoint => None,
        }
    }

    /// Whether operators ask it: few, small, and wanted most while there is too much of the rest. A rollback may be
    /// what ends an overload.
    fn is_operators(&self) -> bool {
        match self {
            Work::Update { command, .. } => {
                matches!(command, Command::Deploy(_) | Command::Undeploy(_))
            }
            Work::Read(op) => matches!(
                op,
                Op::Modules | Op::Package(_) | Op::Left(..) | Op::Stored(_)
            ),
            Work::Checkpoint => true,
        }
    }
}

impl Item {
    /// Roughly what it keeps alive.
    pub fn bytes(&self) -> usize {
        match &self.work {
            Work::Update { command, .. } => match command {
                Command::Call(call) | Command::Send { call, .. } => held(call),
                // Operators' requests, few: one may be larger than all that is to wait.
                _ => REQUEST_BYTES,
            },
            Work::Read(Op::Query { accepted, .. } | Op::Call(accepted)) => held(&accepted.call),
            Work::Read(Op::Answered(past)) => held(&past.call),
            Work::Read(..) | Work::Checkpoint => REQUEST_BYTES,
        }
    }
}

/// What a request takes beside its texts, roughly.
const REQUEST_BYTES: usize = 64;

/// Roughly the bytes that a call keeps alive.
fn held(call: &Call) -> usize {
    let key = call.idempotency_key.as_ref();
    let key = key.map_or(0, |key| key.as_str().len());
    REQUEST_BYTES + call.entity.key.as_str().len() + call.args.len() + call.caller.len() + key
}

pub(crate) struct Ingress {
    queue: Mutex<Queue>,
    wake: Condvar,
    commands_max: usize,
    bytes_max: usize,
}

#[derive(Default)]
struct Queue {
    items: Vec<Item>,
    bytes: usize,
    /// What the executor took and has no place in the order yet: it waits as well.
    taken: usize,
    taken_bytes: usize,
    /// Someone has news for the executor: a batch became durable, the clock moved, …
    nudged: bool,
    sleeping: bool,
    /// What wakes who sleeps.
    enough: Enough,
    /// Whether something waits that is no update.
    reads: bool,
    closed: bool,
    /// Why updates are refused, if they are.
    refusing: Option<Unavailable>,
}

/// How much must wait for it to be worth the executor's while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Enough {
    /// Anything.
    #[default]
    Any,
    /// So many requests, or one that only reads.
    Many(usize),
    /// It has no time now, whatever waits.
    Never,
}

/// What the executor takes.
pub(crate) struct Taken {
    pub items: Vec<Item>,
    pub bytes: usize,
    pub closed: bool,
    /// Whether there was anything to be taken, or a nudge.
    pub news: bool,
}

impl Ingress {
    pub fn new(commands_max: usize, bytes_max: usize) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            commands_max,
            bytes_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what fits, in order; the first that does not is refused, with all after it.
    pub fn push(&self, items: &mut VecDeque<Item>) -> Result<(), Refused> {
        let mut queue = self.lock();
        let before = queue.items.len();
        let result = queue.fill(items, self.commands_max, self.bytes_max);
        if queue.sleeping && queue.items.len() > before && queue.has(queue.enough) {
            queue.sleeping = false;
            drop(queue);
            self.wake.notify_one();
        }
        result
    }

    /// Makes the executor look around.
    pub fn nudge(&self) {
        let mut queue = self.lock();
        queue.nudged = true;
        if std::mem::take(&mut queue.sleeping) {
            drop(queue);
            self.wake.notify_one();
        }
    }

    /// Nothing more is accepted; what waits is finished.
    pub fn close(&self) {
        self.lock().closed = true;
        self.nudge();
    }

    /// Whether nothing more is accepted.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Refuses updates from now on, or none of them any more.
    pub fn refuse(&self, why: Option<Unavailable>) {
        self.lock().refusing = why;
    }

    /// Whether enough waits.
    pub fn has(&self, enough: Enough) -> bool {
        self.lock().has(enough)
    }

    /// Waits for a nudge or `patience`, and takes nothing.
    pub fn rest(&self, patience: Duration) {
        let mut queue = self.lock();
        if !queue.nudged {
            queue = self.sleep(queue, Some(patience), Enough::Never);
        }
        queue.nudged = false;
    }

    /// Waits for so many requests, or one that only reads; for anything, once a batch has [landed](Ingress::landed);
    /// for a nudge or `patience`. Does not wait unless one is still on its way.
    pub fn gather(&self, patience: Duration, count: usize, on_its_way: impl FnOnce() -> bool) {
        let mut queue = self.lock();
        let enough = Enough::Many(count);
        // Asked under the lock: what lands from now on finds who waits.
        if !queue.nudged && !queue.has(enough) && on_its_way() {
            queue = self.sleep(queue, Some(patience), enough);
        }
        queue.nudged = false;
    }

    /// A batch is durable: who waits for many requests goes on with few.
    pub fn landed(&self) {
        let mut queue = self.lock();
        if !matches!(queue.enough, Enough::Many(_)) {
            return;
        }
        queue.enough = Enough::Any;
        if queue.sleeping && !queue.items.is_empty() {
            queue.sleeping = false;
            drop(queue);
            self.wake.notify_one();
        }
    }

    /// Lets go of the queue until someone wakes its taker, or for `patience`.
    fn sleep<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        patience: Option<Duration>,
        enough: Enough,
    ) -> MutexGuard<'a, Queue> {
        (queue.sleeping, queue.enough) = (true, enough);
        let mut queue = match patience {
            None => self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner),
            Some(patience) => {
                let waited = self.wake.wait_timeout(queue, patience);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        queue.sleeping = false;
        queue
    }

    /// Requests that wait, here or with the executor.
    pub fn len(&self) -> usize {
        self.lock().waiting()
    }

    /// So much of what was taken has no place in the order yet.
    pub fn still_waits(&self, count: usize, bytes: usize) {
        let mut queue = self.lock();
        (queue.taken, queue.taken_bytes) = (count, bytes);
    }

    /// Takes all that waits; if nothing does, waits for it, for a nudge or for `patience`.
    /// `closing`: that the queue was closed is no news. `room` is empty, and what comes next lies there.
    pub fn take(&self, patience: Option<Duration>, closing: bool, mut room: Vec<Item>) -> Taken {
        let mut queue = self.lock();
        let quiet =
            |queue: &Queue| queue.items.is_empty() && !queue.nudged && (closing || !queue.closed);
        if quiet(&queue) && patience != Some(Duration::ZERO) {
            queue = self.sleep(queue, patience, Enough::Any);
        }
        let news = !quiet(&queue);
        queue.nudged = false;
        queue.reads = false;
        let bytes = std::mem::take(&mut queue.bytes);
        room.reserve(queue.items.len()); // the next ones are like these
        let items = std::mem::replace(&mut queue.items, room);
        (queue.taken, queue.taken_bytes) = (items.len(), bytes);
        Taken {
            items,
            bytes,
            closed: queue.closed,
            news,
        }
    }
}

impl Queue {
    fn waiting(&self) -> usize {
        self.items.len() + self.taken
    }

    fn has(&self, enough: Enough) -> bool {
        match enough {
            Enough::Any => !self.items.is_empty(),
            Enough::Many(count) => self.reads || self.items.len() >= count,
            Enough::Never => false,
        }
    }

    fn fill(
        &mut self,
        items: &mut VecDeque<Item>,
        most: usize,
        bytes: usize,
    ) -> Result<(), Refused> {
        if self.closed {
            return Err(Unavailable::Stopping.into());
        }
        let (mut refused, mut count) = (None, 0);
        let (waiting, taken_bytes) = (self.waiting(), self.taken_bytes);
        let taken = items.iter().take_while(|item| {
            let update = matches!(item.work, Work::Update { .. });
            refused = match &self.refusing {
                Some(why) if update => Some(why.clone().into()),
                _ if item.work.is_operators() => None,
                _ if waiting + count >= most || taken_bytes + self.bytes + item.bytes() > bytes => {
                    Some(Refused::Overloaded {
                        waiting,
                        retry_after_ms: 1_000,
                    })
                }
                _ => None,
            };
            let fits = refused.is_none();
            self.bytes += if fits { item.bytes() } else { 0 };
            self.reads |= fits && !update;
            count += usize::from(fits);
            fits
        });
        let mut taken = taken.count();
        if matches!(refused, Some(Refused::Overloaded { .. })) && planted(Bug::RefusedRuns) {
            taken += 1;
        }
        self.items.extend(items.drain(..taken));
        refused.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Accepted;
    use ordain_types::module::ModuleHash;
    use ordain_types::{Call, EntityId, Method, MethodKind, ModuleName, Undeploy};

    fn query(args: usize) -> Item {
        let call = Call {
            entity: EntityId::new("counter", "a").expect("an id"),
            method: Method::new("look").expect("a name"),
            args: vec![b' '; args].into(),
            caller: String::new(),
            idempotency_key: None,
        };
        let accepted = Accepted {
            call: Box::new(call),
            args: Box::new(()),
            kind: MethodKind::Query,
        };
        let at_least = None;
        Item {
            work: Work::Read(Op::Query { accepted, at_least }),
            reply: Owed::new(crate::reply::Pending::new().1),
        }
    }

    fn update() -> Item {
        let send = "1.0".parse().expect("an id");
        Item {
            work: Work::Update {
                command: Command::Deliver { send },
                args: None,
            },
            reply: Owed::new(crate::reply::Pending::new().1),
        }
    }

    fn left_over(ingress: &Ingress, items: impl IntoIterator<Item = Item>) -> usize {
        let mut items = items.into_iter().collect();
        let result = ingress.push(&mut items);
        assert_eq!(result.is_err(), !items.is_empty());
        items.len()
    }

    #[test]
    fn many_at_once_pass_no_bound() {
        let by_count = Ingress::new(3, 1 << 20);
        assert_eq!(left_over(&by_count, (0..5).map(|_| query(0))), 2);
        assert_eq!(left_over(&by_count, [query(0)]), 1);
        let by_bytes = Ingress::new(100, 1 << 20);
        let large = || query(400 << 10);
        assert_eq!(left_over(&by_bytes, [large()]), 0);
        assert_eq!(left_over(&by_bytes, [large(), large()]), 1);
        assert_eq!(left_over(&by_bytes, [query(0)]), 0);
    }

    #[test]
    fn what_is_taken_waits_until_it_has_its_place() {
        let take = |ingress: &Ingress| ingress.take(Some(Duration::ZERO), false, Vec::new());
        let by_count = Ingress::new(2, 1 << 20);
        assert_eq!(left_over(&by_count, [query(0), query(0)]), 0);
        drop(take(&by_count));
        assert_eq!(by_count.len(), 2);
        assert_eq!(left_over(&by_count, [query(0)]), 1);
        by_count.still_waits(1, 100);
        assert_eq!(left_over(&by_count, [query(0), query(0)]), 1);
        let by_bytes = Ingress::new(100, 1 << 20);
        let large = || query(600 << 10);
        assert_eq!(left_over(&by_bytes, [large()]), 0);
        let bytes = take(&by_bytes).bytes;
        assert_eq!(left_over(&by_bytes, [large()]), 1);
        by_bytes.still_waits(1, bytes);
        assert_eq!(left_over(&by_bytes, [large()]), 1);
        by_bytes.still_waits(0, 0);
        assert_eq!(left_over(&by_bytes, [large()]), 0);
    }

    #[test]
    fn what_reads_is_enough_and_few_updates_are_not() {
        let ingress = Ingress::new(10, 1 << 20);
        let many = Enough::Many(2);
        assert_eq!(left_over(&ingress, [update()]), 0);
        assert!(ingress.has(Enough::Any) && !ingress.has(many));
        assert_eq!(left_over(&ingress, [update()]), 0);
        assert!(ingress.has(many) && !ingress.has(Enough::Never));
        drop(ingress.take(Some(Duration::ZERO), false, Vec::new()));
        assert!(!ingress.has(Enough::Any));
        assert_eq!(left_over(&ingress, [query(0)]), 0);
        assert!(ingress.has(many));
        drop(ingress.take(Some(Duration::ZERO), false, Vec::new()));
        assert_eq!(left_over(&ingress, [update()]), 0);
        assert!(!ingress.has(many));
    }

    #[test]
    fn who_gathers_goes_on_with_few_once_a_batch_has_landed() {
        for pushed_before in [true, false] {
            let ingress = Ingress::new(10, 1 << 20);
            std::thread::scope(|scope| {
                scope.spawn(|| ingress.gather(Duration::from_secs(3_600), 2, || true));
                while !ingress.lock().sleeping {
                    std::thread::yield_now();
                }
                let push = || assert_eq!(left_over(&ingress, [update()]), 0);
                if pushed_before {
                    push();
                    assert!(ingress.lock().sleeping, "one is not worth it");
                }
                ingress.landed();
                if !pushed_before {
                    assert!(ingress.lock().sleeping, "there is nothing");
                    push();
                }
                assert!(!ingress.lock().sleeping);
            });
        }
    }

    #[test]
    fn who_gathers_does_not_wait_for_what_has_landed() {
        let ingress = Ingress::new(10, 1 << 20);
        ingress.gather(Duration::from_secs(3_600), 2, || false);
    }

    #[test]
    fn what_operators_ask_finds_room_in_a_full_queue() {
        let name = || ModuleName::new("m").expect("a name");
        let undeploy = Undeploy {
            name: name(),
            keep_state: false,
            caller: String::new(),
        };
        let update = Work::Update {
            command: Command::Undeploy(Box::new(undeploy)),
            args: None,
        };
        let reads = [
            Op::Modules,
            Op::Package(ModuleHash([0; 32])),
            Op::Left(name(), Vec::new()),
        ];
        let works = reads.into_iter().map(Work::Read);
        let works = works.chain([Work::Checkpoint, Work::Checkpoint, update]);
        let full = Ingress::new(1, 1 << 20);
        assert_eq!(left_over(&full, [query(0), query(0)]), 1);
        let items = works.map(|work| Item {
            work,
            reply: Owed::new(crate::reply::Pending::new().1),
        });
        assert_eq!(left_over(&full, items), 0);
        assert_eq!(left_over(&full, [query(0)]), 1);
    }
}
