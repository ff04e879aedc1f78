//! What is known of a file before any of it runs: its JavaScript without types, what it imports, which
//! names it binds, which parameters its functions take, and whether it keeps to the rules. Knows no
//! interpreter.
//!
//! ```text
//!   lines       offsets as lines and columns
//!   strip       types out, tags called with copies, positions kept (blank does the blanking)
//!   trivia      white space and comments
//!   depth       how large and how deep a file may be
//!   around      what is around a piece of code
//!   rules       what a module may not say
//!   closures    what closures hold that are made when a module starts
//!   links       what files take from each other by name
//!   schema      parameters and types as JSON schemas
//! ```

mod around;
mod blank;
mod closures;
mod depth;
mod lines;
mod links;
mod rules;
mod schema;
mod strip;
mod trivia;

use std::collections::BTreeMap;

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::SourceType;

use closures::Closures;
pub use closures::{HOLDS, Held, STARTED};
pub use lines::{Lines, Position};
pub use links::Links;
pub use rules::NOT_THEIRS;
pub use schema::Signature;

/// What is wrong, and where: a byte of the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub at: u32,
    pub message: String,
}

impl Problem {
    pub fn new(at: u32, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

pub type Problems = Vec<Problem>;

/// A name, and the byte where it is.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub at: u32,
}

/// One file, checked.
#[derive(Debug)]
pub struct Script {
    /// The same text without types.
    pub javascript: String,
    pub lines: Lines,
    /// The modules it imports, as it names them.
    pub imports: Vec<Named>,
    /// What it takes from other modules by name, and gives them.
    pub links: Links,
    /// Its regular expressions, as they are written.
    pub patterns: Vec<(Position, String)>,
    /// What it binds at its top level and keeps at run time.
    pub bindings: Vec<Named>,
    /// What its functions say of themselves, by where they begin.
    pub signatures: BTreeMap<Position, Signature>,
    /// What its closures hold, by the numbers that its text gives.
    pub held: Vec<Held>,
}

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A module, which keeps to its rules.
    Module,
    /// A test, which may keep what it likes: it runs once and outside of transactions.
    Test,
}

/// Reads and checks one file.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn read(path: &str, text: &str, purpose: Purpose) -> Result<Script, (Position, String)> {
    let lines = Lines::new(text);
    read_at(path, text, &lines, purpose).map_err(|problem| {
        let position = lines.position(text, problem.at);
        (position, problem.message)
    })
}

fn read_at(path: &str, text: &str, lines: &Lines, purpose: Purpose) -> Result<Script, Problem> {
    first(depth::check_text(text).into_iter())?;
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type(path)).parse();
    first(parsed.diagnostics.iter().map(problem))?;
    let program = allocator_program(&allocator, parsed.program);
    first(depth::check(program).into_iter())?;
    let built = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_build_nodes(true)
        .build(program);
    first(built.diagnostics.iter().map(problem))?;
    examine(program, &built.semantic, lines, purpose)
}

fn allocator_program<'a>(allocator: &'a Allocator, program: Program<'a>) -> &'a Program<'a> {
    allocator.alloc(program)
}

fn examine(
    program: &Program,
    semantic: &Semantic,
    lines: &Lines,
    purpose: Purpose,
) -> Result<Script, Problem> {
    let (mut problems, mut lines) = (Problems::new(), lines.clone());
    let Closures { held, inserts } = match purpose {
        Purpose::Module => closures::find(semantic),
        Purpose::Test => Closures::default(),
    };
    let scoping = semantic.scoping();
    let javascript = strip::strip(program, scoping, inserts, &mut lines, &mut problems);
    if purpose == Purpose::Module {
        rules::check(semantic, &mut problems);
    }
    first(problems.into_iter())?;
    Ok(Script {
        javascript,
        imports: rules::imports(program, semantic),
        links: links::find(program, scoping, &lines),
        patterns: rules::patterns(program, semantic, &lines),
        bindings: rules::bindings(semantic),
        signatures: schema::signatures(program, semantic, &lines),
        held,
        lines,
    })
}

fn first(problems: impl Iterator<Item = Problem>) -> Result<(), Problem> {
    problems.min().map_or(Ok(()), Err)
}

fn source_type(path: &str) -> SourceType {
    match path.ends_with(".js") || path.ends_with(".mjs") {
        true => SourceType::mjs(),
        false => SourceType::ts().with_module(true),
    }
}

fn problem(diagnostic: &oxc_diagnostics::OxcDiagnostic) -> Problem {
    let at = diagnostic.labels.first().map_or(0, |label| label.offset());
    let help = diagnostic.help.as_ref().map(|help| format!("; {help}"));
    Problem::new(
        at,
        format!("{}{}", diagnostic.message, help.unwrap_or_default()),
    )
}
