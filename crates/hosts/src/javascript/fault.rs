//! What JavaScript throws, as the engine and people need it: a message with the user's own file, line and
//! column, and the stack.

use ordain_types::{FaultKind, Rejection};
use rquickjs::{Ctx, Error, Function, Object, Value};

use super::compile::Compiled;
use super::instance::{Instance, NO_MEMORY};
use super::meter::Broken;
use super::syntax::Position;
use super::{cache, host, raw};

/// Something that was thrown and is no rejection.
#[derive(Debug, Clone)]
pub struct Thrown {
    pub kind: FaultKind,
    pub message: String,
    /// Where, if it is known.
    pub place: Option<(String, Position)>,
    /// The calls on the stack in the user's files, the innermost first.
    pub frames: Vec<StackFrame>,
}

/// A call on the interpreter's stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackFrame {
    pub function: String,
    pub file: String,
    pub at: Position,
}

/// What a method ended with that did not come to its value.
pub enum Ending {
    /// With where it was thrown, if that was asked for.
    Rejected(Rejection, Option<Box<Thrown>>),
    Thrown(Thrown),
}

impl Thrown {
    pub fn plain(message: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::Exception,
            message: message.into(),
            place: None,
            frames: Vec::new(),
        }
    }

    /// At the beginning of a function.
    pub fn at_function(function: &Function<'_>, message: String) -> Self {
        Self {
            place: place_of(function),
            ..Self::plain(message)
        }
    }

    /// A limit that was passed.
    pub fn broken(broken: Broken, when: &str) -> Self {
        use ordain_types::limits as l;
        let (kind, message) = match broken {
            Broken::Instructions => (
                FaultKind::Instructions,
                format!(
                    "the module ran for more than {} ticks {when}; look for a loop that does not end, or do the \
                     work in several transactions",
                    l::JAVASCRIPT_TICKS_MAX
                ),
            ),
            Broken::Memory => (
                FaultKind::Memory,
                format!(
                    "the module took more than {} bytes of memory {when}",
                    l::JAVASCRIPT_MEMORY_BYTES_MAX
                ),
            ),
            Broken::Stack => (
                FaultKind::Stack,
                format!(
                    "the module used more than {} bytes of stack {when}; look for a recursion that does not end",
                    l::JAVASCRIPT_STACK_BYTES_MAX
                ),
            ),
            Broken::Machine => return Self::plain(NO_MEMORY),
        };
        Self {
            kind,
            ..Self::plain(message)
        }
    }

    /// The same with the place where the run was, which is that of what the limit ended it with. Calls of one
    /// place within one another, as a recursion leaves them, are told once.
    pub fn where_ended(self, with: Self) -> Self {
        let (place, mut frames) = (with.place, with.frames);
        frames.dedup();
        Self {
            place,
            frames,
            ..self
        }
    }

    /// The same with the places that people count.
    pub fn of(self, compiled: &Compiled) -> Self {
        self.placed(|file, at| compiled.place(file, at))
    }

    /// The same with each place as `place` says it.
    pub fn placed(mut self, place: impl Fn(&str, Position) -> Position) -> Self {
        if let Some((file, at)) = &mut self.place {
            *at = place(file, *at);
        }
        for frame in &mut self.frames {
            frame.at = place(&frame.file, frame.at);
        }
        self
    }

    /// The stack in words, a line a call. The first line has the place.
    pub fn trace(&self) -> String {
        if let (true, Some((file, at))) = (self.frames.is_empty(), &self.place) {
            return format!("    at {file}:{}:{}", at.line, at.column);
        }
        let line = |StackFrame { function, file, at }: &StackFrame| match &**function {
            "" => format!("    at {file}:{}:{}", at.line, at.column),
            function => format!("    at {function} ({file}:{}:{})", at.line, at.column),
        };
        self.frames.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Where a function begins.
pub fn place_of(function: &Function<'_>) -> Option<(String, Position)> {
    let file: String = function.get("fileName").ok()?;
    let line: u32 = function.get("lineNumber").ok()?;
    let column: u32 = function.get("columnNumber").ok()?;
    let column = match line {
        1 if column > 1 => column + 1, // it counts those of the first line from 0
        _ => column,
    };
    Some((file, Position { line, column }))
}

/// An error of the library, which has no JavaScript to it.
pub fn internal(error: Error) -> Thrown {
    Thrown::plain(format!("the interpreter failed: {error}"))
}

/// Says whether a path is that of one of the user's files.
pub type IsFile<'a> = &'a dyn Fn(&str) -> bool;

/// What is pending after `error`.
pub fn thrown(ctx: &Ctx<'_>, error: Error, is_file: IsFile) -> Thrown {
    match error {
        Error::Exception => describe(&ctx.catch(), is_file),
        error => internal(error),
    }
}

/// How a method ended that gave `error`; with `places`, where it said no as well.
pub fn ending(ctx: &Ctx<'_>, instance: &Instance, error: Error, places: bool) -> Ending {
    if !error.is_exception() {
        return Ending::Thrown(internal(error));
    }
    let library = &instance.library;
    let describe = |value: &Value| describe(value, &|path| instance.compiled.has(path));
    let value = ctx.catch();
    let instance_of = |class: &rquickjs::Persistent<Object<'static>>| {
        let class = class.clone().restore(ctx).ok();
        let class = value.as_object().zip(class);
        class.is_some_and(|(it, class)| is_instance(it, &class).unwrap_or(false))
    };
    if instance_of(&library.rejection) {
        let thrown = value.as_object().expect("an instance is an object");
        return match rejection(ctx, instance, thrown) {
            // After it was read: what this does is done in development alone, and must change nothing.
            Ok(rejection) => {
                Ending::Rejected(rejection, places.then(|| Box::new(describe(&value))))
            }
            Err(thrown) => Ending::Thrown(thrown),
        };
    }
    let mut thrown = describe(&value);
    let of_module = instance_of(&library.module_state);
    if of_module || is_write_refused(&thrown.message) {
        thrown.kind = FaultKind::ModuleState;
        thrown
            .message
            .push_str(if of_module { MODULE_STATE } else { FROZEN });
    }
    Ending::Thrown(thrown)
}

/// What is said of a write to what a module keeps.
const MODULE_STATE: &str = "; what belongs to the module, not to an entity, is frozen when it has started: entity state \
                            lives in `cx.state`";
/// What is said of a write that the interpreter refuses, which does not say what it was to.
const FROZEN: &str = "; a `const`, what has no setter and what was frozen stay as they are, and so does all that belongs to \
                      the module once it has started: entity state lives in `cx.state`, without what a call that came back \
                      to the entity took out of it";

/// What `instanceof` says, without a call: there may be no stack for one.
fn is_instance<'js>(object: &Object<'js>, class: &Object<'js>) -> rquickjs::Result<bool> {
    let prototype = raw::address(&class.get::<_, Object>("prototype")?);
    let above = std::iter::successors(raw::prototype(object), raw::prototype);
    Ok(above.map(|it| raw::address(&it)).any(|it| it == prototype))
}

/// Whether it is what the interpreter says when it has no stack, or its regular expressions have none.
pub fn is_overflow(message: &str) -> bool {
    ["Maximum call stack size exceeded", "stack overflow"].contains(&message)
}

/// The interpreter's messages for writes to what is frozen.
fn is_write_refused(message: &str) -> bool {
    message.starts_with("TypeError: ")
        && [
            "is read-only",
            "is not extensible",
            "could not delete property",
            "no setter for property",
        ]
        .iter()
        .any(|it| message.contains(it))
}

fn rejection<'js>(
    ctx: &Ctx<'js>,
    instance: &Instance,
    thrown: &Object<'js>,
) -> Result<Rejection, Thrown> {
    let text = |name: &'static str| {
        let value: Value = thrown.get(name)?;
        let wrong = || Error::new_from_js(value.type_name(), "a rejection's text");
        raw::text(&value).ok_or_else(wrong)
    };
    let read = || {
        let details: Value = thrown.get("details")?;
        let details = match details.is_undefined() {
            true => None,
            false => Some(host::json(ctx, &instance.library, &details, DETAILS)?),
        };
        Ok((details, Rejection::new(text("code")?, text("message")?)))
    };
    match read() {
        Ok((None, rejection)) => Ok(rejection),
        Ok((Some(Ok(json)), rejection)) => Ok(Rejection {
            details: Some(json),
            ..rejection
        }),
        Ok((Some(Err(message)), _)) => Err(Thrown {
            kind: FaultKind::Encoding,
            ..Thrown::plain(message)
        }),
        Err(error) => Err(self::thrown(ctx, error, &|path| {
            instance.compiled.has(path)
        })),
    }
}

const DETAILS: &str = "the details of the rejection";

/// A thrown value in words.
pub fn describe(value: &Value<'_>, is_file: IsFile) -> Thrown {
    let Some(error) = value.as_object().filter(|_| value.is_error()) else {
        let text = raw::stringify(value.ctx(), value, str::to_owned)
            .ok()
            .flatten();
        let text = text.unwrap_or_else(|| value.type_name().to_owned());
        return Thrown::plain(format!(
            "threw {text}; throw an Error, or say no with reject(code, message)"
        ));
    };
    let get = |name: &str| {
        let value = error.get::<_, Value>(name);
        let text = value.ok().and_then(|it| raw::text(&it));
        text.unwrap_or_default()
    };
    let (name, message) = (get("name"), get("message"));
    let floor = cache::with_meter(|meter| meter.floor());
    let stack = raw::stack(error, floor).unwrap_or_else(|| get("stack"));
    let first = message.lines().next().unwrap_or_default();
    let mut thrown = Thrown::plain(match first {
        "" => name,
        first => format!("{name}: {first}"),
    });
    if is_overflow(first) {
        cache::with_meter(|meter| meter.overflowed());
    }
    let frames = stack.lines().filter_map(|line| frame(line, is_file));
    thrown.frames = frames.collect();
    thrown.frames.drain(..made_in(error, &thrown.frames));
    let first = thrown.frames.first();
    thrown.place = first.map(|it| (it.file.clone(), it.at));
    thrown
}

/// How far the classes of an error are looked through, and how long a name of theirs may be: nothing counts what is done
/// here, and a module makes both.
const LEVELS_MAX: usize = 10;
const NAME_BYTES_MAX: usize = 256;

/// How many of the innermost calls are constructors of the error, which say nothing of where it was made.
fn made_in(error: &Object<'_>, frames: &[StackFrame]) -> usize {
    if frames.first().is_none_or(|it| it.function.is_empty()) {
        return 0;
    }
    let above = std::iter::successors(raw::prototype(error), raw::prototype).take(LEVELS_MAX);
    let constructors: Vec<_> = above.filter_map(|it| constructor(&it)).collect();
    let mut frames = frames.iter();
    let outside = frames.position(|it| !constructors.contains(&it.function));
    outside.unwrap_or(0)
}

/// The name of the constructor of a prototype.
fn constructor(prototype: &Object<'_>) -> Option<String> {
    let constructor = member(prototype, "constructor")?.into_object()?;
    let name = raw::text_within(&member(&constructor, "name")?, NAME_BYTES_MAX);
    name.filter(|name| !name.is_empty())
}

/// A member of an object; none if getting it throws.
fn member<'js>(object: &Object<'js>, name: &str) -> Option<Value<'js>> {
    let value = object.get(name);
    value.inspect_err(|_| drop(object.ctx().catch())).ok()
}

/// A line of a stack, if it is of the user's files: `at name (path:line:column)`, or without a name and brackets. Names and
/// paths may hold anything, ` (` as well: what goes to the end and is the path of a file is taken for it.
fn frame(line: &str, is_file: IsFile) -> Option<StackFrame> {
    let line = line.trim().strip_prefix("at ")?;
    let mut parts = line.strip_suffix(')').unwrap_or(line).rsplitn(3, ':');
    let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    if line == 0 {
        return None; // what the interpreter makes for a class that has fields
    }
    let before = parts.next()?;
    let named = before
        .match_indices(" (")
        .map(|(at, sign)| (&before[..at], &before[at + sign.len()..]));
    let mut found = std::iter::once(("", before)).chain(named);
    let (function, file) = found.find(|(_, file)| is_file(file))?;
    let function = if function == "<anonymous>" {
        ""
    } else {
        function
    };
    Some(StackFrame {
        function: function.to_owned(),
        file: file.to_owned(),
        at: Position { line, column },
    })
}
