//! One client: asks, tries again under the same idempotency key until there is a final answer, and
//! records the operation as one, from the first attempt to the answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ordain::Request;
use ordain_bench::answer::{Answer as Told, Ask};
use ordain_client::{Client, Error, Reply};
use ordain_types::{IdempotencyKey, MethodKind, RequestParts};
use serde_json::value::RawValue;

use crate::history::{Answer, History, Record};

/// How long one attempt may take. Longer than a sync under load, shorter than a run.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);
/// The wait before the next attempt.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Troubles that are kept.
const TROUBLES_MAX: usize = 20;

/// What the clients of a run share.
#[derive(Debug)]
pub struct Shared {
    /// The server's address.
    pub url: String,
    /// What they did.
    pub history: History,
    /// Attempts that failed and were made again.
    pub retries: AtomicU64,
    run: u64,
    stopping: AtomicBool,
    give_up_at: Mutex<Option<Instant>>,
    troubles: Mutex<Vec<String>>,
}

impl Shared {
    /// For a run; `run` makes its idempotency keys differ from those of others.
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(url: &str, run: u64) -> anyhow::Result<Self> {
        Client::new(url)?;
        Ok(Self {
            url: url.to_owned(),
            history: History::default(),
            retries: AtomicU64::new(0),
            run,
            stopping: AtomicBool::new(false),
            give_up_at: Mutex::new(None),
            troubles: Mutex::default(),
        })
    }

    /// Whether clients are to begin nothing more.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Nothing more is begun, and what is not answered at `end` is given up.
    pub fn stop_at(&self, end: Instant) {
        *lock(&self.give_up_at) = Some(end);
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Answers that nobody should get.
    pub fn troubles(&self) -> Vec<String> {
        lock(&self.troubles).clone()
    }

    /// Notes one.
    pub fn trouble(&self, what: String) {
        let mut troubles = lock(&self.troubles);
        if troubles.len() < TROUBLES_MAX {
            troubles.push(what);
        }
    }

    fn given_up(&self) -> bool {
        lock(&self.give_up_at).is_some_and(|end| Instant::now() >= end)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client.
pub struct Asker {
    number: u32,
    client: Client,
    asked: u64,
    /// What it shares with the others.
    pub shared: Arc<Shared>,
}

type RawReply = Result<Reply<Box<RawValue>>, Error>;

impl Asker {
    /// A client with a connection of its own, which does not try again by itself.
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(number: u32, shared: Arc<Shared>) -> anyhow::Result<Self> {
        let builder = Client::builder(&shared.url).timeout(ATTEMPT_MAX);
        Ok(Self {
            number,
            client: builder.retries(0).build()?,
            asked: 0,
            shared,
        })
    }

    /// Asks until there is an answer.
    pub async fn ask(&mut self, ask: Ask) -> Told {
        let parts = match ask.into_parts() {
            Ok(parts) => parts,
            Err(error) => return self.wrong(error.to_string()),
        };
        let key = self.next_key();
        let mut record = Record::begin(self.number, self.shared.history.moment(), &parts);
        let reply = loop {
            record.attempts += 1;
            match self.attempt(&parts, &key).await {
                Err(error) if may_pass(&error) && !self.shared.given_up() => {
                    self.shared.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                reply => break reply,
            }
        };
        record.returned = Some(self.shared.history.moment());
        let told = self.conclude(&mut record, reply);
        self.shared.history.add(record);
        told
    }

    async fn attempt(&self, parts: &RequestParts, key: &IdempotencyKey) -> RawReply {
        let request = Request::<Box<RawValue>>::from(Ok(parts.clone()));
        match parts.kind {
            MethodKind::Query => self.client.query(request).await,
            MethodKind::Update => self.client.call_with(request, key.clone()).await,
        }
    }

    /// What the reply means, for the record and for the source.
    fn conclude(&self, record: &mut Record, reply: RawReply) -> Told {
        match reply {
            Ok(reply) => {
                record.seq = reply.seq.map(|seq| seq.0);
                let told = Told::Value(reply.value.get().to_owned().into());
                record.answer = Answer::Value(reply.value);
                told
            }
            Err(Error::Rejected(answer)) => {
                record.seq = answer.seq.map(|seq| seq.0);
                let code = answer.problem.code.to_string();
                record.answer = Answer::Rejected(code.clone());
                Told::Rejected(code)
            }
            Err(Error::Fault(answer)) => {
                record.seq = answer.seq.map(|seq| seq.0);
                record.answer = Answer::Fault(answer.to_string());
                self.shared.trouble(format!("a fault: {answer}"));
                Told::Fault(answer.to_string())
            }
            Err(error) => {
                record.returned = None;
                record.answer = Answer::Unknown(error.to_string());
                if !may_pass(&error) {
                    return self.wrong(error.to_string());
                }
                Told::None(error.to_string())
            }
        }
    }

    fn wrong(&self, message: String) -> Told {
        self.shared.trouble(message.clone());
        Told::None(message)
    }

    fn next_key(&mut self) -> IdempotencyKey {
        self.asked += 1;
        let text = format!("t{}-{}-{}", self.shared.run, self.number, self.asked);
        IdempotencyKey::new(&text).expect("a short text is a key")
    }
}

/// Whether it is the server that is gone or busy, and not the request that is wrong.
fn may_pass(error: &Error) -> bool {
    use Error::{Connect, Lost, Timeout, Unavailable};
    match error {
        Connect { .. } | Lost { .. } | Timeout { .. } => true,
        Unavailable(answer) => matches!(answer.status, 409 | 429 | 503),
        _ => false,
    }
}
