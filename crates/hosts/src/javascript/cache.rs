//! The contexts that an executor's thread keeps: one warm one for each module version it has met of late,
//! and, for a run that must be exact, new ones that go when its transaction ends. Contexts hold nothing that shows, so
//! this is a cache and no more.

use std::cell::RefCell;
use std::rc::Rc;

use ordain_types::module::ModuleHash;

use super::compile::Compiled;
use super::instance::{Instance, NotStarted};
use super::meter::{Meter, Reading};
use super::raw::Entry;

/// Contexts that a thread keeps.
const CONTEXTS_MAX: usize = 64;
/// Bytes that they may hold together.
const BYTES_MAX: usize = 64 << 20;
/// Bytes that a call may have held at once without its contexts being made anew: the collector's threshold
/// follows the most that there was, and so does the garbage that later calls could find.
const PEAK_BYTES_MAX: i64 = 4 << 20;

struct Cache {
    meter: Rc<Meter>,
    warm: Vec<Kept>,
    careful: Vec<Kept>,
    clock: u64,
}

struct Kept {
    hash: ModuleHash,
    instance: Rc<Instance>,
    used: u64,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::new(Cache {
        meter: Rc::new(Meter::new()),
        warm: Vec::new(),
        careful: Vec::new(),
        clock: 0,
    });
}

/// Gives the thread's meter.
pub fn with_meter<R>(run: impl FnOnce(&Rc<Meter>) -> R) -> R {
    let meter = CACHE.with_borrow(|cache| cache.meter.clone());
    run(&meter)
}

/// What a transaction has taken in the entries that ended. With it go the contexts that were made for it.
#[derive(Default)]
pub struct Spent {
    work: u64,
}

impl Drop for Spent {
    fn drop(&mut self) {
        let gone = CACHE.with_borrow_mut(|cache| std::mem::take(&mut cache.careful));
        drop(gone); // outside the borrow: freeing a context runs code
    }
}

/// An entry into the contexts of this thread: the outermost one counts anew, but for the work, which is the
/// transaction's.
pub struct Count {
    entry: Entry,
    before: Option<Reading>,
    /// When it began.
    clock: u64,
    pub floor: usize,
    pub meter: Rc<Meter>,
}

impl Count {
    pub fn begin(limits: super::meter::Limits, spent: &Spent) -> Self {
        let (meter, clock) = CACHE.with_borrow(|cache| (cache.meter.clone(), cache.clock));
        let (entry, floor) = Entry::new(limits.stack_bytes);
        let before = entry.is_first().then(|| meter.begin(limits, floor));
        if before.is_some() {
            meter.works(spent.work);
        }
        let floor = meter.floor();
        Self {
            entry,
            before,
            clock,
            floor,
            meter,
        }
    }

    /// Notes what was taken since it began.
    pub fn note(&self, spent: &mut Spent) {
        if self.before.is_some() {
            spent.work = self.meter.work();
        }
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        let Some(before) = self.before.filter(|_| self.entry.is_first()) else {
            return;
        };
        let large = self.meter.peak() > PEAK_BYTES_MAX || self.meter.broken().is_some();
        self.meter.resume(before);
        if large {
            let since = self.clock;
            let gone = CACHE.with_borrow_mut(|cache| cache.grown(since));
            drop(gone); // outside the borrow: freeing a context runs code
        }
    }
}

/// The context of a module on this thread.
///
/// # Errors
/// If it cannot be made.
pub fn instance(
    hash: ModuleHash,
    careful: bool,
    compiled: impl FnOnce() -> Result<Compiled, NotStarted>,
) -> Result<Rc<Instance>, NotStarted> {
    if let Some(found) = CACHE.with_borrow_mut(|cache| cache.find(hash, careful)) {
        return Ok(found);
    }
    let compiled = compiled()?;
    let made = Rc::new(with_meter(|meter| Instance::new(&compiled, meter))?);
    let gone = CACHE.with_borrow_mut(|cache| cache.keep(hash, careful, made.clone()));
    if !gone.is_empty() {
        with_meter(|meter| meter.apart(|| drop(gone)));
    }
    Ok(made)
}

impl Cache {
    fn list(&mut self, careful: bool) -> &mut Vec<Kept> {
        match careful {
            true => &mut self.careful,
            false => &mut self.warm,
        }
    }

    fn find(&mut self, hash: ModuleHash, careful: bool) -> Option<Rc<Instance>> {
        self.clock += 1;
        let now = self.clock;
        let kept = self
            .list(careful)
            .iter_mut()
            .find(|kept| kept.hash == hash)?;
        kept.used = now;
        Some(kept.instance.clone())
    }

    /// Keeps a context, and gives those that must go for it.
    fn keep(&mut self, hash: ModuleHash, careful: bool, instance: Rc<Instance>) -> Vec<Kept> {
        let used = self.clock;
        let kept = Kept {
            hash,
            instance,
            used,
        };
        self.list(careful).push(kept);
        let mut gone = Vec::new();
        while !careful && self.is_full() {
            let idle = self
                .warm
                .iter()
                .enumerate()
                .filter(|(_, kept)| kept.instance.running.get() == 0);
            let oldest = idle
                .filter(|(_, kept)| kept.used < used)
                .min_by_key(|(_, kept)| kept.used);
            let Some((at, _)) = oldest else { break };
            gone.push(self.warm.swap_remove(at));
        }
        gone
    }

    fn is_full(&self) -> bool {
        let bytes: usize = self.warm.iter().map(|kept| kept.instance.bytes).sum();
        self.warm.len() > CONTEXTS_MAX || bytes > BYTES_MAX
    }

    /// What goes when an outermost entry has ended by which what was used since then has grown.
    fn grown(&mut self, since: u64) -> Vec<Kept> {
        self.warm.extract_if(.., |kept| kept.used > since).collect()
    }
}

/// What this thread keeps: contexts, and the bytes that all interpreters of the thread hold.
pub fn kept() -> (usize, usize) {
    CACHE.with_borrow(|cache| (cache.warm.len(), cache.meter.held()))
}

/// Drops the contexts that this thread keeps.
pub fn clear() {
    let gone = CACHE.with_borrow_mut(|cache| std::mem::take(&mut cache.warm));
    drop(gone);
}
