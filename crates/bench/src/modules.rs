//! The command `bench modules`: what deploying takes, the first call of a module that is cold, many modules,
//! an upgrade under load, and for how long a hostile module keeps the others waiting.

mod hostile;
mod upgrades;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ordain::{EntityId, Node, Options, Request};
use ordain_cli::{Context, Failure, modules_only, parse_duration};
use ordain_node::Catalog;
use ordain_types::{Method, MethodKind};
use serde::de::IgnoredAny;

use crate::language::{Language, Module, deploy};
use crate::process;
use crate::report::{Figure, Findings, Name};
use crate::run::{blocking, new_dir, until_interrupted};
use crate::words::What;

/// What the interpreter does in a transfer, so many `times`, and nothing around it: its arguments and two states parsed,
/// changed and made JSON again.
const TRANSFERS: &str = r#"
  let bytes = 0;
  for (let at = 0; at < times; at++) {
    const { amount } = JSON.parse('{"to":"1234","amount":50}');
    const from = JSON.parse('{"balance":1000000}');
    const to = JSON.parse('{"balance":1000000}');
    from.balance -= amount;
    to.balance += amount;
    bytes += JSON.stringify(from).length + JSON.stringify(to).length;
  }
  return bytes;
"#;
/// So many at once take far less than a call may.
const PLAIN_TRANSFERS: u32 = 50_000;

#[derive(Debug, Clone, Args)]
struct Words {
    /// Modules that are deployed and called once each
    #[arg(long, default_value_t = 1_000)]
    modules: usize,
    /// How often what is short is done
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// How long the load goes on with upgrades, and as long without, in turns
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    duration: Duration,
}

/// The command.
pub fn command() -> Command {
    let about =
        "Measure what deploying, cold calls, many modules, upgrades and hostile modules take";
    Words::augment_args(Command::new("modules").about(about))
}

/// Runs it.
///
/// # Errors
/// If a node does not open, a module does not do what it should, or an invariant is violated.
pub fn run(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let words = Words::from_arg_matches(given).map_err(Failure::usage)?;
    let catalog = modules_only(&context.catalog);
    let findings = until_interrupted(async |_| {
        let (root, _removed_at_the_end) = new_dir(None, "ordain-modules-")?;
        blocking(move || {
            let place = |name: &str| Place {
                dir: root.join(name),
                catalog: catalog.clone(),
            };
            let mut violations = Vec::new();
            // First, while this process is small: what it frees later would hide what modules take.
            let mut figures = many(&place("many"), &words)?;
            for language in [Language::Ts, Language::Wasm] {
                figures.extend(deployments(&place(language.name()), language, &words)?);
            }
            figures.extend(plain(&place("plain"), &words)?);
            figures.extend(bare(&words)?);
            figures.extend(upgrades::run(
                &place("upgrades"),
                words.duration,
                &mut violations,
            )?);
            for language in [Language::Ts, Language::Wasm] {
                let place = place(&format!("hostile-{}", language.name()));
                figures.extend(hostile::run(&place, language)?);
            }
            Ok(Findings {
                what: "modules",
                about: format!(
                    "bank.ts and transfer.wasm; {} modules; {} callers",
                    words.modules,
                    upgrades::CALLERS
                ),
                figures,
                violations,
                seed: 0,
            })
        })
        .await
    })?;
    findings.conclude(context.output)
}

/// A data directory and what its nodes can call.
struct Place {
    dir: std::path::PathBuf,
    catalog: Catalog,
}

impl Place {
    fn open(&self) -> anyhow::Result<Node> {
        let options = Options::default();
        let (node, _) = Node::open_with(&self.dir, self.catalog.clone(), options, &mut |_| {})?;
        Ok(node)
    }
}

fn request(entity: &str, method: &str, args: String) -> anyhow::Result<Request<IgnoredAny>> {
    let (entity, method): (EntityId, _) = (entity.parse()?, Method::new(method)?);
    Ok(Request::new(
        entity,
        method,
        MethodKind::Update,
        args.into(),
    ))
}

fn deposit(node: &Node) -> anyhow::Result<()> {
    node.call(request("account/a", "deposit", r#"{"amount":1}"#.into())?)?;
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

const fn named(key: &'static str, name: &'static str) -> Name {
    Name { key, name }
}

/// The module with something in it that changes nothing.
fn version(module: &Module, number: usize) -> Bytes {
    if !module.file.ends_with(".ts") {
        return Bytes::from_static(module.bytes);
    }
    let mut text = module.bytes.to_vec();
    text.extend_from_slice(format!("\n// version {number}\n").as_bytes());
    text.into()
}

/// From a module's sources to its first answer; and its first answer in a node that has just been opened.
fn deployments(place: &Place, language: Language, words: &Words) -> anyhow::Result<Vec<Figure>> {
    let module = language.module(What::Transfer)?;
    let module = module.context("the module is in the program")?;
    let (deployed, cold) = match language {
        Language::Ts => (
            named("ts_deployed_ms", "ts: sources to first answer, ms"),
            named("ts_cold_ms", "ts: first call after a start, ms"),
        ),
        _ => (
            named("wasm_deployed_ms", "wasm: component to first answer, ms"),
            named("wasm_cold_ms", "wasm: first call after a start, ms"),
        ),
    };
    let mut took = Vec::new();
    let mut node = place.open()?;
    // A component is compiled once; what the next runs show of it is its deployment.
    let runs = if language == Language::Ts {
        words.runs
    } else {
        1
    };
    for number in 0..runs {
        let began = Instant::now();
        deploy(&node, module.name, module.file, version(&module, number))?;
        deposit(&node)?;
        took.push(ms(began));
    }
    let mut first = Vec::new();
    for _ in 0..words.runs {
        node.stop();
        drop(node);
        node = place.open()?;
        let began = Instant::now();
        deposit(&node)?;
        first.push(ms(began));
    }
    node.stop();
    let figures = [Figure::over(deployed, took), Figure::over(cold, first)];
    Ok(figures.into_iter().flatten().collect())
}

/// Many modules with one call each, and then each once more.
fn many(place: &Place, words: &Words) -> anyhow::Result<Vec<Figure>> {
    let node = place.open()?;
    let resident = || process::resident().context("the system does not tell the memory");
    let before = resident()?;
    let mut deployed = Vec::new();
    for at in 0..words.modules {
        let text = format!(
            "import {{ entity }} from \"ordain\";\nexport const counter_{at} = entity({{ n: 0 }}, {{\n  add(cx) {{ \
             return ++cx.state.n; }},\n}});\n"
        );
        let began = Instant::now();
        deploy(&node, &format!("m{at}"), "counter.ts", text.into())?;
        deployed.push(ms(began));
    }
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let mut took = Vec::new();
        for at in 0..words.modules {
            let began = Instant::now();
            node.call(request(&format!("counter_{at}/a"), "add", String::new())?)?;
            took.push(ms(began));
        }
        rounds.push((took, resident()?));
    }
    node.stop();
    let kib = |resident: u64| resident.saturating_sub(before) as f64 / 1024.0;
    let each = kib(rounds[0].1) / words.modules.max(1) as f64;
    let more = kib(rounds[1].1) - kib(rounds[0].1);
    let figures = [
        Figure::over(named("many_deployed_ms", "many: deployment, ms"), deployed),
        Figure::over(
            named("many_first_ms", "many: first call, ms"),
            rounds.swap_remove(0).0,
        ),
        Figure::over(
            named(
                "many_second_ms",
                "many: second call, most contexts gone, ms",
            ),
            rounds.swap_remove(0).0,
        ),
        Figure::over(
            named("many_kib", "many: KiB resident for each module"),
            vec![each],
        ),
        Figure::over(
            named("many_more_kib", "many: KiB more after all second calls"),
            vec![more],
        ),
    ];
    Ok(figures.into_iter().flatten().collect())
}

/// What a transfer in TypeScript is held against: the loop in the interpreter as it is, without a host around it: no
/// module, no limits, nothing of its library replaced.
fn bare(words: &Words) -> anyhow::Result<Option<Figure>> {
    let runtime = rquickjs::Runtime::new()?;
    let context = rquickjs::Context::full(&runtime)?;
    let per_second = context.with(|ctx| {
        let transfers: rquickjs::Function = ctx.eval(format!("(times) => {{{TRANSFERS}}}"))?;
        let each = |_| {
            let began = Instant::now();
            let bytes: f64 = transfers.call((PLAIN_TRANSFERS,))?;
            let took = began.elapsed().as_secs_f64();
            ensure!(bytes > 0.0, "the loop wrote no JSON");
            Ok(f64::from(PLAIN_TRANSFERS) / took)
        };
        (0..words.runs)
            .map(each)
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    let name = named(
        "bare_per_second",
        "ts: the same in the interpreter without a host, /s",
    );
    Ok(Figure::over(name, per_second))
}

/// The same loop in a module: what the host's own JSON, limits and counting cost a module that has much of it.
fn plain(place: &Place, words: &Words) -> anyhow::Result<Option<Figure>> {
    let node = place.open()?;
    let module = format!(
        "import {{ entity }} from \"ordain\";\nexport const plain = entity({{}}, {{\n  \
         transfers(_, {{ times }}: {{ times: number }}) {{{TRANSFERS}}},\n}});\n"
    );
    deploy(&node, "plain", "plain.ts", module.into())?;
    let mut per_second = Vec::new();
    for _ in 0..words.runs {
        let args = format!(r#"{{"times":{PLAIN_TRANSFERS}}}"#);
        let began = Instant::now();
        node.call(request("plain/a", "transfers", args)?)?;
        per_second.push(f64::from(PLAIN_TRANSFERS) / began.elapsed().as_secs_f64());
    }
    node.stop();
    let name = named(
        "plain_per_second",
        "ts: JSON of a transfer alone, in a loop, /s",
    );
    Ok(Figure::over(name, per_second))
}
