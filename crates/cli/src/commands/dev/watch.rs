//! From saves to deployments. Whether a module changed is told by reading it again, many times a second:
//! it is a few files of text, and so neither how an editor saves, nor which file system it is on, nor a
//! file that an import waits for makes any difference. What is large is read less often.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use ordain_api::modules::wasm_source;
use ordain_client::ModuleSource;
use ordain_node::plan::{Change, Plan};
use ordain_node::{ChangeOptions, DeployError, Health, Node, Unavailable};
use ordain_types::{ModuleName, Package, Source};

use super::Developed;
use super::tell::Teller;
use crate::commands::telling;
use crate::sources::{Gathered, gather};

/// Who deploys, in the module's history.
pub const CALLER: &str = "dev";
/// Between two readings of the module.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a change must stand: an editor may save in several steps.
const SETTLED: Duration = Duration::from_millis(20);
/// Reading takes at most this part of the time.
const READING_PART: u32 = 20;

/// A module under watch.
pub struct Watch {
    node: Node,
    path: PathBuf,
    name: ModuleName,
    url: String,
    alone: bool,
    token: bool,
    teller: Teller,
    /// The lines to paste that were printed last.
    pasted: BTreeSet<String>,
}

/// What was read; why nothing could be.
type Read = Result<Gathered, String>;

impl Watch {
    /// Of this module, on this node.
    pub fn new(node: Node, module: &Developed, url: &str) -> Self {
        Self {
            node,
            path: module.path.clone(),
            name: module.name.clone(),
            url: url.to_owned(),
            alone: module.alone,
            token: module.token,
            teller: module.teller.clone(),
            pasted: BTreeSet::new(),
        }
    }

    /// Deploys what is there, then what comes, on a thread of its own.
    pub fn begin(mut self) {
        if self.alone {
            self.undeploy_others();
        }
        let read = self.read();
        self.take(&read);
        let teller = self.teller.clone();
        let thread = thread::Builder::new().name("ordain-watch".to_owned());
        if let Err(error) = thread.spawn(move || self.run(read)) {
            teller.say(format!("error    saves are not noticed: {error}"));
        }
    }

    /// Modules of earlier runs, or this one under the name that its file had before.
    fn undeploy_others(&self) {
        let catalog = self.node.catalog();
        let others = catalog.modules().filter(|module| module.name != self.name);
        for module in others {
            let name = &module.name;
            self.teller.say(match self.node.undeploy(name, &options()) {
                Ok(_) => format!("undeployed {name}: what its entities hold is kept"),
                Err(why) => format!("error    {name} is still in force: {why}"),
            });
        }
    }

    fn run(mut self, mut last: Read) {
        let mut pause = PAUSE;
        while self.is_up() {
            thread::park_timeout(pause);
            let began = Instant::now();
            let read = self.read();
            pause = PAUSE.max(began.elapsed() * READING_PART);
            if read == last {
                continue;
            }
            thread::park_timeout(SETTLED);
            if self.read() == read {
                self.take(&read);
                last = read;
            }
        }
    }

    fn is_up(&self) -> bool {
        let health = self.node.health();
        !matches!(
            health,
            Health::Unavailable(Unavailable::Stopping | Unavailable::Halted(_))
        ) && self.node.store().is_some()
    }

    fn read(&self) -> Read {
        gather(&self.path).map_err(|failure| failure.message.unwrap_or_default())
    }

    /// Deploys what was read, and says what became of it.
    fn take(&mut self, read: &Read) {
        let began = Instant::now();
        let gathered = match read {
            Ok(gathered) => gathered,
            Err(why) => return self.teller.say(format!("error    {why}")),
        };
        match self.deploy(gathered) {
            Ok((plan, version)) => self.say_deployed(&plan, version, began.elapsed()),
            Err(why) => self.say_refused(gathered, &why),
        }
    }

    fn deploy(&self, gathered: &Gathered) -> Result<(Plan, u32), DeployError> {
        let options = options();
        let package: Package = self.node.compile(&source(&gathered.source))?;
        let plan = self.node.plan(&self.name, &package, &options)?;
        let deployed = self.node.deploy(&self.name, &package, &options)?;
        Ok((plan, deployed.version))
    }

    fn say_deployed(&mut self, plan: &Plan, version: u32, took: Duration) {
        let name = &self.name;
        match plan.changes() {
            true => self.teller.say(format!(
                "deployed {name} version {version} in {} ms",
                took.as_millis()
            )),
            false => self
                .teller
                .say(format!("in force {name} version {version}")),
        }
        if plan.version.is_some() {
            changes(plan).for_each(|line| self.teller.say(line));
        }
        let catalog = self.node.catalog();
        let lines: BTreeSet<String> = telling::curl_lines(&catalog, &self.url, self.token)
            .into_iter()
            .collect();
        for line in lines.difference(&self.pasted) {
            self.teller.say(line.clone());
        }
        self.pasted = lines;
    }

    fn say_refused(&self, gathered: &Gathered, why: &DeployError) {
        let goes_on = match self.node.catalog().module(&self.name) {
            Some(module) => format!("; version {} goes on", module.version),
            None => String::new(),
        };
        match why {
            DeployError::Source(error) => {
                let place = error.file.as_ref().map_or(String::new(), |file| {
                    gathered.place(file, error.line, error.column) + ": "
                });
                self.teller.say(format!("{place}{}", error.message));
                self.teller.say(format!("error    not deployed{goes_on}"));
            }
            DeployError::Unavailable(Unavailable::Stopping) => {}
            DeployError::Rejected(rejection) | DeployError::Misfit { rejection, .. } => {
                let place = match why {
                    DeployError::Misfit { place, .. } => {
                        gathered.place(&place.file, Some(place.line), Some(place.column)) + ": "
                    }
                    _ => String::new(),
                };
                self.teller
                    .say(format!("refused  {place}{rejection}{goes_on}"));
                if rejection.code != "module_invalid" {
                    self.teller
                        .say("         (--fresh begins with nothing of what was there before)");
                }
            }
            why => self.teller.say(format!("error    {why}{goes_on}")),
        }
    }
}

fn options() -> ChangeOptions {
    ChangeOptions {
        // Types come and go while a module is developed; what they hold is there when they are back.
        keep_state: true,
        caller: CALLER.to_owned(),
    }
}

fn source(source: &ModuleSource) -> Source {
    match source {
        ModuleSource::Files(files) => files.clone().into(),
        ModuleSource::Component(component) => wasm_source(component.clone()),
    }
}

/// A line for each method, or state, that is another now.
fn changes(plan: &Plan) -> impl Iterator<Item = String> {
    plan.entities.iter().flat_map(|entity| {
        let name = &entity.name;
        let mut lines = Vec::new();
        match &entity.state_version {
            Change::Altered { old, new } if old != new => {
                lines.push(format!("         ~ {name}: state version {old}, now {new}"));
            }
            Change::Removed(_) => {
                lines.push(format!("         - {name}: what its entities hold is kept"));
            }
            _ => {}
        }
        for (method, change) in &entity.methods {
            let sign = match change {
                Change::Added(_) => '+',
                Change::Removed(_) => '-',
                Change::Altered { .. } => '~',
            };
            lines.push(format!("         {sign} {name}.{method}"));
        }
        lines
    })
}
