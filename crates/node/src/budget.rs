//! The memory that entities may take, and when to look for some that can leave it.

use ordain_engine::Engine;

pub(crate) struct Budget {
    bytes: usize,
    /// Memory at which evicting is tried next: what cannot leave is not looked through each time.
    evict_at: usize,
}

impl Budget {
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes,
            evict_at: bytes,
        }
    }

    /// What it is.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Between two commands: lets what was not used lately leave if there is too much. Says whether
    /// there still is: the rest is not in the store yet.
    pub fn keep(&mut self, engine: &mut Engine) -> bool {
        let memory = engine.memory_bytes();
        if memory <= self.evict_at {
            return false;
        }
        let slack = self.bytes / 16;
        engine.evict(memory - self.bytes + slack);
        let after = engine.memory_bytes();
        self.evict_at = after.max(self.bytes).saturating_add(slack);
        after > self.bytes
    }

    /// More can leave than could before: a checkpoint was applied.
    pub fn look_again(&mut self) {
        self.evict_at = self.bytes;
    }

    /// Whether nothing more may come in until a checkpoint lets some leave.
    pub fn is_spent(&self, engine: &Engine) -> bool {
        engine.memory_bytes() > self.bytes.saturating_mul(2)
    }
}
