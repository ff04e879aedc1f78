//! The words of `bench`: what is measured, where and how; and the workload they describe.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Arg, Args, Command, FromArgMatches, ValueEnum};
use ordain::Options;
use ordain_cli::parse_duration;

use crate::choose::Spread;
use crate::language::Language;
use crate::measure::Plan;
use crate::workload::Workload;
use crate::workload::market::{Market, Sizes};
use crate::workload::movie::Reviews;
use crate::workload::notes::Notes;
use crate::workload::retwis::Retwis;
use crate::workload::smallbank::SmallBank;
use crate::workload::transfer::{Balances, Transfer};
use crate::workload::travel::{self, Mix, Travel};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Transfers between accounts
    Transfer,
    /// Payments between customers with two accounts each
    Smallbank,
    /// Checkouts, deliveries and more of an online marketplace
    Marketplace,
    /// Searches for hotels, and reservations of rooms and seats
    Travel,
    /// Movie reviews, ten calls each
    Movie,
    /// Posts, and timelines of those who are followed
    Retwis,
    /// Counts beside a text, for states of any size
    Notes,
}

#[derive(Debug, Clone, Args)]
pub struct Words {
    /// What to measure
    #[arg(value_enum)]
    pub what: What,

    /// What the methods are written in; several are measured in turn and shown side by side
    #[arg(
        long,
        value_enum,
        value_name = "LANGUAGE,…",
        value_delimiter = ',',
        default_value = "rust",
        help_heading = "What"
    )]
    pub lang: Vec<Language>,

    /// Run a node in this process (the default without --url and --server)
    #[arg(long, help_heading = "Where", conflicts_with_all = ["url", "server"])]
    pub embedded: bool,
    /// Start a server as a child process and ask that
    #[arg(long, help_heading = "Where", conflicts_with = "url")]
    pub server: bool,
    /// Start in its place a server that takes the same requests and answers them with nothing done
    #[arg(long, help_heading = "Where", conflicts_with_all = ["url", "embedded", "server", "batch"])]
    pub echo: bool,
    /// The data directory, which must be new; without it a temporary one
    #[arg(
        long,
        value_name = "PATH",
        help_heading = "Where",
        conflicts_with = "url"
    )]
    pub dir: Option<PathBuf>,

    /// Ask a server by streams
    #[arg(long, help_heading = "How", conflicts_with = "batch")]
    pub stream: bool,
    /// Give the calls of a stream idempotency keys
    #[arg(long, help_heading = "How", requires = "stream")]
    pub keys: bool,
    /// Ask a server by batches of so many calls
    #[arg(long, value_name = "CALLS", help_heading = "How")]
    pub batch: Option<usize>,
    /// Clients of a server, each with a connection
    #[arg(long, default_value_t = 64, help_heading = "How")]
    pub clients: usize,
    /// Take no checkpoint meanwhile; of an embedded node only
    #[arg(long, help_heading = "Where", conflicts_with_all = ["url", "echo", "server"])]
    pub no_checkpoints: bool,
    /// Load, then give the node memory for the so manieth part of it; of an embedded node only
    #[arg(long, value_name = "TIMES", help_heading = "Where", conflicts_with_all = ["url", "echo", "server"])]
    pub state_over_memory: Option<u32>,
    /// Memory for entities in MiB; of an embedded node only [default: 2048]
    #[arg(long, value_name = "MIB", help_heading = "Where", conflicts_with_all = ["url", "echo", "server"])]
    pub memory_budget: Option<usize>,

    /// Calls in flight: of each client by streams [default: 1], or in all if embedded [default: 4096;
    /// with a rate 32768]
    #[arg(long, value_name = "CALLS", help_heading = "How")]
    pub in_flight: Option<usize>,
    /// Open loop: begin so many transactions a second, and count latency from when they should begin
    #[arg(long, value_name = "TX/S", help_heading = "How")]
    pub rate: Option<f64>,
    /// How long to warm up
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration, help_heading = "How")]
    pub warm_up: Duration,
    /// How long each run is
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration, help_heading = "How")]
    pub duration: Duration,
    /// Runs, one after another under one load; the median is shown with the least and the greatest
    #[arg(long, default_value_t = 3, help_heading = "How")]
    pub runs: usize,
    /// What all choices follow from [default: a new one, which is printed]
    #[arg(long, help_heading = "How")]
    pub seed: Option<u64>,

    /// How keys are chosen: uniform, hotspot, or zipf:S
    #[arg(long, default_value = "uniform", help_heading = "What")]
    pub spread: Spread,
    /// notes: bytes of each one's text
    #[arg(long, default_value_t = 100, help_heading = "What")]
    pub state_bytes: usize,
    /// notes: how many
    #[arg(long, default_value_t = 2_000, help_heading = "What")]
    pub notes: usize,
    /// transfer: accounts [default: 10000; keynote: 100000]
    #[arg(long, help_heading = "What")]
    pub accounts: Option<usize>,
    /// transfer: an amount of 1, and both accounts chosen by --spread
    #[arg(long, help_heading = "What")]
    pub keynote: bool,
    /// transfer: queries of balances in place of transfers
    #[arg(long, help_heading = "What")]
    pub queries: bool,
    /// smallbank and marketplace: customers [default: 10000; marketplace: 100000]
    #[arg(long, help_heading = "What")]
    pub customers: Option<usize>,
    /// smallbank: customers in one transfer
    #[arg(long, default_value_t = 4, help_heading = "What")]
    pub size: usize,
    /// smallbank: the six classic procedures in place of transfers
    #[arg(long, help_heading = "What")]
    pub classic: bool,
    /// marketplace: sellers, with 10 products each
    #[arg(long, default_value_t = 10_000, help_heading = "What")]
    pub sellers: usize,
    /// marketplace: pieces in stock of each product
    #[arg(long, default_value_t = 10_000, help_heading = "What")]
    pub stock: u64,
    /// travel: reservations alone in place of the mix
    #[arg(long, help_heading = "What")]
    pub reserve: bool,
    /// travel: rooms of each hotel and seats of each flight
    #[arg(long, default_value_t = 1_000_000, help_heading = "What")]
    pub places: u64,
    /// travel, movie and retwis: users [default: 1000; travel: 500]
    #[arg(long, help_heading = "What")]
    pub users: Option<usize>,
    /// movie: movies
    #[arg(long, default_value_t = 1_000, help_heading = "What")]
    pub movies: usize,
}

impl Words {
    /// As if these were given, and no others.
    ///
    /// # Errors
    /// If they are none.
    pub fn of<'w>(words: impl Iterator<Item = &'w str>) -> anyhow::Result<Self> {
        // The flag of a setting, which some words refer to.
        let url = Arg::new("url").long("url");
        let command = Words::augment_args(Command::new("bench").arg(url).no_binary_name(true));
        Ok(Words::from_arg_matches(
            &command.try_get_matches_from(words)?,
        )?)
    }

    /// # Errors
    /// Words that do not go together.
    pub fn check(&self, url_given: bool) -> anyhow::Result<()> {
        let remote = url_given || self.server || self.echo;
        let by_network = self.stream || self.batch.is_some();
        ensure!(
            remote || !by_network,
            "--stream and --batch ask a server: give --server or --url"
        );
        ensure!(
            !(self.embedded && url_given),
            "--embedded asks no server: leave out --url"
        );
        ensure!(
            !(self.rate.is_some() && self.batch.is_some()),
            "batches have no rate"
        );
        ensure!(
            self.clients > 0 && self.runs > 0,
            "there must be a client and a run"
        );
        ensure!(
            self.in_flight != Some(0) && self.batch != Some(0),
            "a call must be in flight"
        );
        ensure!(
            self.rate.is_none_or(|rate| rate > 0.0),
            "a rate is more than 0"
        );
        ensure!(self.size > 0, "a transfer has a source");
        ensure!(
            !(self.queries && self.what != What::Transfer),
            "--queries are of accounts: measure transfer"
        );
        ensure!(
            self.state_over_memory != Some(0) && self.memory_budget != Some(0),
            "there must be some memory"
        );
        ensure!(!self.duration.is_zero(), "a run takes time");
        self.check_languages(url_given)
    }

    fn check_languages(&self, url_given: bool) -> anyhow::Result<()> {
        for (at, language) in self.lang.iter().enumerate() {
            let name = language.name();
            ensure!(
                !self.lang[..at].contains(language),
                "--lang names {name} twice"
            );
            language.module(self.what)?;
            ensure!(
                !self.echo || *language == Language::Rust,
                "--echo runs no methods: leave out --lang"
            );
        }
        ensure!(
            !url_given || self.lang.len() == 1,
            "a server has an application in one language: give --url one --lang"
        );
        Ok(())
    }

    /// The workload, with its sizes.
    pub fn workload(&self) -> Box<dyn Workload> {
        let spread = self.spread;
        match self.what {
            What::Transfer => {
                let transfer = match self.keynote {
                    true => Transfer::keynote(self.accounts.unwrap_or(100_000), spread),
                    false => Transfer::ycsb(self.accounts.unwrap_or(10_000), spread),
                };
                match self.queries {
                    true => Box::new(Balances(transfer)),
                    false => Box::new(transfer),
                }
            }
            What::Smallbank => {
                let customers = self.customers.unwrap_or(10_000);
                match self.classic {
                    true => Box::new(SmallBank::classic(customers, spread)),
                    false => Box::new(SmallBank::multi(customers, spread, self.size)),
                }
            }
            What::Travel => {
                let sizes = travel::Sizes {
                    travelers: self.users.unwrap_or(500),
                    places: self.places,
                };
                let mix = match self.reserve {
                    true => Mix::Reserve,
                    false => Mix::Usual,
                };
                Box::new(Travel::new(sizes, mix, spread))
            }
            What::Movie => {
                let users = self.users.unwrap_or(1_000);
                Box::new(Reviews::new(users, self.movies, spread))
            }
            What::Retwis => Box::new(Retwis::new(self.users.unwrap_or(1_000), spread)),
            What::Notes => Box::new(Notes::new(self.notes, self.state_bytes, spread)),
            What::Marketplace => {
                let sizes = Sizes {
                    customers: self.customers.unwrap_or(100_000),
                    sellers: self.sellers,
                    products_each: 10,
                    stock: self.stock,
                };
                Box::new(Market::new(sizes, spread))
            }
        }
    }

    /// Calls in flight in all, of an embedded node.
    pub fn slots(&self) -> usize {
        let default = match self.rate {
            Some(_) => 32_768,
            None => 4_096,
        };
        self.in_flight.unwrap_or(default)
    }

    /// How an embedded node is opened.
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        if self.no_checkpoints {
            options.checkpoint_interval = Duration::from_secs(24 * 3_600);
            options.checkpoint_log_bytes = u64::MAX;
        }
        if let Some(mib) = self.memory_budget {
            options.memory_budget_bytes = mib << 20;
        }
        options
    }

    /// When so many runs are measured, from now on.
    pub fn plan(&self, windows: usize) -> Plan {
        let (warm_up, window) = (self.warm_up, self.duration);
        Plan {
            begin: Instant::now(),
            warm_up,
            window,
            windows,
        }
    }
}
