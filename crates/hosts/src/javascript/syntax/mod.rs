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
//!   private     what it may not do with private methods
//!   closures    what closures hold that are made when a module starts
//!   links       what files take from each other by name
//!   types       which types files declare, and take from each other
//!   begins      where the interpreter says that a function begins
//!   breaks      line ends that it counts and the file's lines do not
//!   schema      parameters and types as JSON schemas
//! ```

mod around;
mod begins;
mod blank;
mod breaks;
mod closures;
mod depth;
mod lines;
mod links;
mod private;
mod rules;
mod schema;
mod strip;
mod trivia;
mod types;

use std::collections::BTreeMap;

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::SourceType;

use closures::Closures;
pub use closures::{HOLDS, Held, STARTED};
pub use lines::{Lines, Position};
pub use links::{Given, Links};
pub use rules::NOT_THEIRS;
pub use schema::Signature;
use types::Declared;

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
    /// Where it exports a default, which may have no name.
    pub default: Option<u32>,
    /// What its functions say of themselves, by where they begin: see [`sign`].
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

/// One file as it was parsed.
pub struct Parsed<'a> {
    program: &'a Program<'a>,
    semantic: Semantic<'a>,
}

/// Parses one file, in memory of `allocator`.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse<'a>(
    path: &str,
    text: &'a str,
    allocator: &'a Allocator,
) -> Result<Parsed<'a>, (Position, String)> {
    placed(text, parse_at(path, text, allocator))
}

fn placed<T>(text: &str, read: Result<T, Problem>) -> Result<T, (Position, String)> {
    read.map_err(|problem| {
        let position = Lines::new(text).position(text, problem.at);
        (position, problem.message)
    })
}

fn parse_at<'a>(
    path: &str,
    text: &'a str,
    allocator: &'a Allocator,
) -> Result<Parsed<'a>, Problem> {
    first(depth::check_text(text).into_iter())?;
    let parsed = Parser::new(allocator, text, source_type(path)).parse();
    first(parsed.diagnostics.iter().map(problem))?;
    let program: &Program = allocator.alloc(parsed.program);
    first(depth::check(program).into_iter())?;
    let built = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_build_nodes(true)
        .build(program);
    first(built.diagnostics.iter().map(problem))?;
    let semantic = built.semantic;
    Ok(Parsed { program, semantic })
}

impl<'a> Parsed<'a> {
    /// Checks the file.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, purpose: Purpose) -> Result<Script, (Position, String)> {
        let text = self.program.source_text;
        placed(text, examine(self.program, &self.semantic, purpose))
    }

    /// A line end in it that would have the interpreter say other places than the file's.
    pub fn misleading_break(&self) -> Option<(Position, String)> {
        let found = breaks::find(self.program, &self.semantic);
        placed(self.program.source_text, found.map_or(Ok(()), Err)).err()
    }

    /// The files that it names, be it only for types.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        types::sources(self.program)
    }
}

/// Adds to the first of these files what their functions say of themselves. `place` is that of a file that another,
/// by its own place, names.
pub fn sign<'s>(
    scripts: impl Iterator<Item = &'s mut Script>,
    parsed: &[Parsed],
    place: impl Fn(usize, &str) -> Option<usize>,
) {
    let files = parsed.iter().enumerate();
    let declared: Vec<_> = files
        .map(|(at, it)| Declared::of(it.program, &it.semantic, |name| place(at, name)))
        .collect();
    for (at, script) in scripts.enumerate() {
        let Parsed { program, semantic } = &parsed[at];
        script.signatures = schema::signatures(program, semantic, script, &declared, at);
    }
}

fn examine(program: &Program, semantic: &Semantic, purpose: Purpose) -> Result<Script, Problem> {
    let (mut problems, mut lines) = (Problems::new(), Lines::new(program.source_text));
    let Closures { held, inserts } = match purpose {
        Purpose::Module => closures::find(semantic),
        Purpose::Test => Closures::default(),
    };
    let scoping = semantic.scoping();
    let javascript = strip::strip(program, scoping, inserts, &mut lines, &mut problems);
    if purpose == Purpose::Module {
        rules::check(program, semantic, &mut problems);
    }
    first(problems.into_iter())?;
    Ok(Script {
        javascript,
        imports: rules::imports(program, semantic),
        links: links::find(program, scoping, &lines),
        patterns: rules::patterns(program, semantic, &lines),
        bindings: rules::bindings(semantic),
        default: rules::default(program),
        signatures: BTreeMap::new(),
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
