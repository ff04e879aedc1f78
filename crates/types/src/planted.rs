//! Deliberate bugs, by which the tests are shown to notice mistakes at all. A site in the product asks
//! [`planted`] and does wrong if told so; without the feature `planted`, which only tests enable, the
//! answer is a constant and the compiler removes the site.
//!
//! With the feature, a bug is on for one thread while `plant` runs: many can be tried at once. What the
//! bugs are caught by is in `docs/mutations.md`. With them is what makes memory scarce for interpreters.

mod memory;

pub use memory::{Memory, Scarcity};

/// Where a bug is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// In `ordain-engine`.
    Engine,
    /// In `ordain-log`.
    Log,
    /// In `ordain-store`.
    Store,
    /// In `ordain-node`.
    Node,
}

macro_rules! bugs {
    ($($part:ident { $(#[doc = $what:literal] $name:ident,)+ })+) => {
        /// A deliberate bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug { $($(#[doc = $what] $name,)+)+ }

        impl Bug {
            /// Every bug, part by part.
            pub const ALL: &[Bug] = &[$($(Bug::$name,)+)+];

            /// Where it is planted.
            pub const fn part(self) -> Part {
                match self { $($(Bug::$name)|+ => Part::$part,)+ }
            }

            /// What goes wrong, in a sentence.
            pub const fn what(self) -> &'static str {
                match self { $($(Bug::$name => $what.trim_ascii(),)+)+ }
            }
        }
    };
}

bugs! {
    Engine {
        /// A rejection does not undo root values.
        RootStays,
        /// A rejection does not undo fields.
        RowStays,
        /// A caught rejection keeps the sends of its call.
        SendsStay,
        /// What is taken back leaves its sends among those that wait.
        PendingStays,
        /// A delivery that is taken back does not put its send back among those that wait.
        DeliveryStays,
        /// What is taken back leaves its timestamp and what it put in force.
        MetaStays,
        /// A call that comes back to an entity its transaction has written keeps no before-image of its own.
        OneImage,
        /// The answer to an idempotency key is not remembered.
        AnswerLost,
        /// Two requests with one idempotency key count as the same one.
        KeyAlone,
        /// An answer is forgotten a millisecond late.
        ExpiresLate,
        /// An answer to be forgotten sooner than all others does not move the next look.
        ExpiryMissed,
        /// A delivered send goes on waiting.
        DeliversTwice,
        /// Sends that are due are delivered in the wrong order.
        DueReversed,
        /// The sends that wait are not read on a start.
        SendsNotLoaded,
        /// A scan that includes its end leaves it out.
        ScanEndsEarly,
        /// A scan from the end takes for known what lies before the rows that it read.
        ReverseOverreach,
        /// A row that was evicted leaves its place known.
        EvictedStaysKnown,
        /// A write that is undone leaves its place known, although the store may have a row there.
        UndoneStaysKnown,
        /// A row of memory does not hide the one in the store.
        HidesNothing,
        /// A scan that would return too many bytes is cut short without a word.
        ScanCutShort,
        /// What a transaction reads does not count.
        ReadsUncounted,
        /// A query may write a field.
        QueryWrites,
        /// A panic of a callee can be caught.
        PanicCaught,
        /// One call more may nest.
        DeeperByOne,
        /// Random numbers do not depend on the seq.
        SameChance,
        /// A root value written after the freeze is checkpointed as it is, not as it was.
        RootCapturedLate,
        /// A row written after the freeze is checkpointed as it is, not as it was.
        RowCapturedLate,
        /// A checkpoint says it stands for one command less.
        CheckpointEarly,
        /// What an abandoned checkpoint held is not taken up by the next one.
        AbandonLoses,
        /// What was written and not checkpointed may leave memory.
        EvictsDirty,
        /// What was captured may leave memory before the store has it.
        EvictsCaptured,
        /// A deletion is forgotten although the store still has the row.
        DeletionForgotten,
        /// The digest of a rejection does not depend on its details.
        DigestSkipsDetails,
        /// The digest of a command does not depend on its sends.
        DigestSkipsSends,
        /// A deployment that is taken back stays in force.
        DeploymentStays,
        /// Arguments decoded for one version of a method are given to the next.
        StaleArguments,
        /// A module's entity type may go although its entities hold state.
        StateLeftBehind,
        /// A transaction that is run again carefully keeps what its first run wrote.
        FirstRunStays,
        /// A new version of a module is in force, and what can be called is the one before.
        CodeStays,
        /// A start puts the version of a module in force that was deployed last, whatever was gone back to since.
        NewestOnStart,
    }
    Log {
        /// An append is acknowledged without a sync.
        AppendUnsynced,
        /// A record's content is not held against its checksum.
        ContentUnchecked,
        /// A record's header is not held against its checksum.
        HeaderUnchecked,
        /// A tail is cut although it was acknowledged.
        CutsAcknowledged,
        /// With an unfinished record goes the one before it.
        CutsTooMuch,
        /// A damaged record is cut although a later one follows it.
        CutsBeforeLater,
        /// The directory is not synced when a segment is made.
        EntryUnsynced,
        /// A record is taken although it does not follow the one before.
        GapAccepted,
        /// A missing segment is passed over.
        SegmentGapAccepted,
        /// What a failed append left is not cleared away.
        TailNotReset,
        /// A record that does not count is cleared away in one step.
        ClearedAtOnce,
        /// A segment that is made again keeps what was in it.
        UsedUnzeroed,
        /// A failed sync is not final.
        FailedSyncForgotten,
        /// An open takes what it reads for durable, also after a failed sync.
        EndNotRewritten,
        /// Old segments go one too early.
        RemovesTooMuch,
    }
    Store {
        /// The seq comes into force before the changes.
        SeqFirst,
        /// A deletion is not written.
        DeleteLost,
        /// Of several changes of one key the first counts.
        FirstChangeCounts,
        /// A scan takes in its excluded end.
        ScanEndsLate,
        /// A snapshot shows later checkpoints.
        SnapshotMoves,
        /// A restore that did not end leaves no mark.
        RestoreUnmarked,
        /// A checkpoint that stands for no later seq is taken.
        SeqMayStand,
        /// The state hash does not depend on values.
        HashSkipsValues,
        /// A block of a backup is not held against its checksum.
        BlockUnchecked,
        /// The list of tables is not held against its checksum.
        ManifestUnchecked,
    }
    Node {
        /// However much waits for the log, a batch is run on.
        RepliesUnbounded,
        /// However much would be taken back if the log failed, a batch is run on.
        ImagesUnbounded,
        /// That the next segment could not be made is not seen before the next write.
        PreparationUnseen,
        /// A reply leaves before its command is durable.
        RepliesEarly,
        /// A query is answered before what it saw is durable.
        QueriesEarly,
        /// A query that asks for a seq to come is answered at once.
        SeqNotAwaited,
        /// A batch whose write failed counts as durable.
        FailureIgnored,
        /// A disk that has room again is not noticed.
        FullForEver,
        /// What is taken back leaves its replies.
        ReplyKept,
        /// What is not durable after a failure is not taken back.
        NotTakenBack,
        /// Taking back drops the digests of what stays.
        DigestsDropped,
        /// A batch is run in another order than it was logged in.
        OrderLost,
        /// A send is delivered a millisecond early.
        DueEarly,
        /// A clock that is set back takes batches with it.
        TimeGoesBack,
        /// A request that was refused for a full queue is run all the same.
        RefusedRuns,
        /// A checkpoint goes to the store before the log is durable so far.
        CheckpointAhead,
        /// The log after a checkpoint is let go with the one before.
        HistoryGone,
        /// A replay is not held against the digests of the log.
        CompareSkipped,
        /// What another build ran is replayed.
        OtherBuildRuns,
        /// A log and a store that do not meet are opened.
        ApartAccepted,
        /// A store is opened with any log that has its seqs.
        OtherLogAccepted,
        /// What a replay reads of the store ahead takes the place of what it has made of it.
        LoadedOverNewer,
        /// A backup is made of the last checkpoint, not of one taken for it.
        BackupStale,
        /// A deployment is answered before it is durable.
        DeployedEarly,
        /// The door knows modules before their deployment is durable, and still when that is taken back.
        DoorAhead,
        /// After a start the door knows no modules until the next deployment.
        DoorForgets,
        /// A replay takes the newest version that a batch has of a module for all of them.
        NewestReplays,
        /// A checkpoint leaves out the history of modules.
        VersionsLost,
    }
}

/// Whether this bug is on: never.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn planted(_: Bug) -> bool {
    false
}

// So the compiler knows the answer, and what hangs on it is not compiled in.
#[cfg(not(feature = "planted"))]
const _: () = assert!(!planted(Bug::ALL[0]));

#[cfg(feature = "planted")]
pub use memory::make_scarce;
#[cfg(feature = "planted")]
pub use switch::{Caught, assert_caught, catch, plant, planted};

#[cfg(feature = "planted")]
mod switch {
    use std::any::Any;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::Bug;

    thread_local! {
        static ON: Cell<Option<Bug>> = const { Cell::new(None) };
        /// How often the bug that is on was asked for.
        static MET: Cell<u64> = const { Cell::new(0) };
    }

    /// Whether this bug is on, on this thread.
    pub fn planted(bug: Bug) -> bool {
        let on = ON.get() == Some(bug);
        MET.set(MET.get() + u64::from(on));
        on
    }

    /// Runs with a bug on, on this thread. Says how often its site was met.
    pub fn plant<R>(bug: Bug, run: impl FnOnce() -> R) -> (R, u64) {
        struct Off;
        impl Drop for Off {
            fn drop(&mut self) {
                ON.set(None);
            }
        }
        assert_eq!(ON.replace(Some(bug)), None, "one bug at a time");
        let _off = Off;
        MET.set(0);
        (run(), MET.get())
    }

    /// What became of a check that ran with a bug on.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Caught {
        /// It failed, and said so.
        By(String),
        /// It met the bug and saw nothing.
        No,
        /// It never came to the bug: it shows nothing.
        NotMet,
    }

    /// Runs a check that panics when it fails, with a bug on.
    pub fn catch(bug: Bug, check: impl FnOnce()) -> Caught {
        let run = || catch_unwind(AssertUnwindSafe(check)).map_err(|panic| text(&*panic));
        match plant(bug, run) {
            (_, 0) => Caught::NotMet,
            (Ok(()), _) => Caught::No,
            (Err(said), _) => Caught::By(said),
        }
    }

    /// Holds tests to what they are for: each must fail with its bug on.
    ///
    /// # Panics
    /// If one does not.
    pub fn assert_caught(tests: &[(Bug, fn())]) {
        for (bug, test) in tests {
            match catch(*bug, test) {
                Caught::By(said) => println!("{bug:?}: {said}"),
                missed => panic!("{bug:?} was not caught: {missed:?}"),
            }
        }
    }

    fn text(panic: &(dyn Any + Send)) -> String {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "a panic without words".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_planted_unasked() {
        assert!(Bug::ALL.iter().all(|bug| !planted(*bug)));
        assert!(Bug::ALL.iter().all(|bug| bug.what().ends_with('.')));
    }
}
