//! Tests in JavaScript and TypeScript: a script is started once to see which tests it has, and anew for
//! each of them, so that none can see another. Who the tests call is [`World`]'s to know.
//!
//! Scripts are not modules: nothing of them is kept or replayed, so none of the rules of modules hold for
//! them, and their limits only bring back what would never end.

#![expect(
    clippy::result_large_err,
    reason = "a failure is made once a test, and told"
)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use ordain_types::script::{Failed, Failure, Ran, Runs, Scripts, World};
use ordain_types::{
    EntityId, EntityType, Json, Key, Method, MethodKind, NameError, Request, Source, SourceError,
};
use rquickjs::function::Func;
use rquickjs::{Context, Ctx, Error, Function, Module, Object, Persistent, Runtime, Value};

use super::compile::{self, Texts};
use super::fault::{self, Thrown};
use super::instance::NO_MEMORY;
use super::meter::{Broken, Limits, Meter};
use super::raw::{self, Entry, Inside};
use super::sources::{self, SDK, SDK_TEST, Sources};
use super::syntax::Purpose;
use super::{JavaScript, cache, host, numbers};

/// What both of a script's imports stand for.
const BROUGHT: &str = "ordain:test";
const BROUGHT_TEXT: &str = concat!(include_str!("shared.js"), include_str!("testing.js"));
/// The module that imports the script.
const START: &str = "ordain:start";

impl Scripts for JavaScript {
    fn run(&self, script: &Source, runs: &mut dyn Runs) -> Result<(), SourceError> {
        script.check()?;
        let script = Script::new(script)?;
        let names = script.names()?;
        if names.is_empty() {
            let message = "no test is here: import { test } from \"ordain/test\", and write test(\"what holds\", (t) => { … })";
            return Err(SourceError {
                file: Some(script.sources.files[0].0.clone()),
                ..SourceError::new(message)
            });
        }
        for (at, name) in names.into_iter().enumerate() {
            if runs.wants(&name) {
                let stage = Rc::new(Stage::default());
                let ended = match runs.world() {
                    Ok(world) => {
                        stage.world.replace(Some(world));
                        script.run(&stage, at)
                    }
                    Err(message) => Err(SourceError::new(message).into()),
                };
                drop(stage.world.take());
                runs.ran(Ran {
                    name,
                    said: stage.said.take(),
                    failure: ended.err(),
                });
            }
        }
        Ok(())
    }
}

/// A script that can be started.
struct Script {
    sources: Sources,
    texts: Texts,
}

/// What a running script reaches.
#[derive(Default)]
struct Stage {
    /// None: no test runs.
    world: RefCell<Option<Box<dyn World>>>,
    said: RefCell<Vec<String>>,
}

impl Script {
    fn new(source: &Source) -> Result<Self, SourceError> {
        let mut sources = sources::on_own_stack(|| Ok(sources::read(source, Purpose::Test)?))?;
        if let Some(error) = sources.untold.take() {
            return Err(error);
        }
        let mut texts = Texts {
            texts: Vec::new(),
            resolved: sources.resolved.clone(),
        };
        for (path, script) in &sources.files {
            texts.texts.push((path.clone(), script.javascript.clone()));
            for brought in [SDK, SDK_TEST] {
                let key = (path.clone(), brought.to_owned());
                texts.resolved.insert(key, BROUGHT.to_owned());
            }
        }
        Ok(Self { sources, texts })
    }

    /// The tests it has.
    fn names(&self) -> Result<Vec<String>, SourceError> {
        let names = self.started(&Rc::default(), |_, host| {
            host.get::<_, Function>("names")?.call(())
        });
        names.map_err(|failure| failure.error)
    }

    /// Runs one test.
    fn run(&self, stage: &Rc<Stage>, at: usize) -> Result<(), Failure> {
        self.started(stage, |_, host| {
            host.set("running", true)?;
            let ended: Value = host.get::<_, Function>("run")?.call((at,))?;
            match ended.as_promise().map(rquickjs::Promise::finish::<Value>) {
                Some(Err(error)) => Err(error),
                Some(Ok(_)) | None => Ok(()),
            }
        })
    }

    /// Starts the script anew and goes on with it.
    fn started<R>(
        &self,
        stage: &Rc<Stage>,
        then: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> rquickjs::Result<R>,
    ) -> Result<R, Failure> {
        let limits = Limits::test();
        let (_entry, floor) = Entry::new(limits.stack_bytes);
        let meter = cache::with_meter(Rc::clone);
        let before = meter.begin(limits, floor);
        let ended = self.inside(&meter, floor, stage, then);
        let broken = meter.broken();
        meter.resume(before);
        match broken {
            None => ended,
            Some(broken) => Err(self.broken(broken, ended.err())),
        }
    }

    fn inside<R>(
        &self,
        meter: &Rc<Meter>,
        floor: usize,
        stage: &Rc<Stage>,
        then: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> rquickjs::Result<R>,
    ) -> Result<R, Failure> {
        let internal = |error| self.failure(fault::internal(error));
        let (runtime, brake) = raw::runtime(meter).map_err(internal)?;
        runtime.set_loader(self.texts.clone(), self.texts.clone());
        let context = Context::full(&runtime).map_err(internal)?;
        let unseen = Unseen::of(&runtime);
        context.inside(floor, |ctx| {
            brake.belongs_to(&ctx);
            let run = || {
                raw::keep_stack(&ctx)?;
                let host = install(&ctx, stage)?;
                evaluate(&ctx, BROUGHT, BROUGHT_TEXT)?;
                let main = serde_json::Value::from(self.sources.files[0].0.as_str());
                evaluate(&ctx, START, &format!("import {main};"))?;
                then(&ctx, &host)
            };
            let ended = run().map_err(|error| self.ended(&ctx, error));
            while meter.broken().is_none() && ctx.execute_pending_job() {}
            let ended = match unseen.take(&ctx) {
                Some(reason) if ended.is_ok() => Err(self.unawaited(&ctx, reason)),
                _ => ended,
            };
            drop(unseen.0.take()); // to look at what was thrown may have run more, and the context goes
            ended
        })
    }

    /// What is said of a promise that was rejected and that nothing awaits: what it says would be lost.
    fn unawaited<'js>(&self, ctx: &Ctx<'js>, reason: Value<'js>) -> Failure {
        let error = ctx.throw(reason);
        let mut failure = self.ended(ctx, error);
        let message = &mut failure.error.message;
        message.push_str(
            "; nothing awaits the promise that this ended: write `await` before what gives it",
        );
        failure
    }

    /// What a script ended with.
    fn ended(&self, ctx: &Ctx<'_>, error: Error) -> Failure {
        match error {
            Error::Exception => {}
            Error::WouldBlock => return self.waits().into(),
            error => return self.failure(fault::internal(error)),
        }
        let value = ctx.catch();
        let text = |name: &str| {
            let object = value.as_object().filter(|_| value.is_error())?;
            object.get::<_, Option<String>>(name).ok().flatten()
        };
        let thrown = fault::describe(&value, &|path| self.sources.has(path));
        let mut failure = self.failure(thrown);
        let message = text("message").unwrap_or_default();
        match text("name").as_deref() {
            Some("AssertionError") => {
                failure.error.message = message;
                (failure.expected, failure.actual) = (text("expected"), text("actual"));
            }
            Some("Rejection") => {
                let code = text("code").unwrap_or_default();
                failure.error.message = format!("rejected: {code}: {message}");
            }
            _ => {}
        }
        failure
    }

    /// What is said of a script that has an `await` of what no one ever gives.
    fn waits(&self) -> SourceError {
        let message =
            "it waits for what never comes; t.call(…) and the others give their values at once";
        SourceError {
            file: Some(self.sources.files[0].0.clone()),
            ..SourceError::new(message)
        }
    }

    fn failure(&self, thrown: Thrown) -> Failure {
        let thrown = thrown.placed(|file, at| self.sources.place(file, at));
        Failure {
            trace: thrown.trace(),
            ..compile::source_error(&thrown).into()
        }
    }

    /// What is said of a script that passed a limit, at the place where it ended if that is known.
    fn broken(&self, broken: Broken, ended: Option<Failure>) -> Failure {
        let message = match broken {
            Broken::Instructions => "it runs on and on: look for a loop that does not end",
            Broken::Memory => "it takes more and more memory: look for a list that only grows",
            Broken::Stack => "it used up its stack: look for a recursion that does not end",
            Broken::Machine => NO_MEMORY,
        };
        let mut failure = ended.unwrap_or_else(|| SourceError::new("").into());
        failure.error.message = message.to_owned();
        (failure.expected, failure.actual) = (None, None);
        failure
    }
}

/// Promises that were rejected, with why, as long as nothing looks at that.
#[derive(Clone, Default)]
struct Unseen(Rc<RefCell<Vec<[Persistent<Value<'static>>; 2]>>>);

impl Unseen {
    fn of(runtime: &Runtime) -> Self {
        let unseen = Self::default();
        let noted = unseen.clone();
        runtime.set_host_promise_rejection_tracker(Some(Box::new(
            move |ctx, promise, reason, seen| match seen {
                true => noted.forget(&ctx, &promise),
                false => {
                    let saved = [promise, reason].map(|it| Persistent::save(&ctx, it));
                    noted.0.borrow_mut().push(saved);
                }
            },
        )));
        unseen
    }

    fn forget<'js>(&self, ctx: &Ctx<'js>, promise: &Value<'js>) {
        let is = |saved: &[Persistent<Value<'static>>; 2]| {
            saved[0].clone().restore(ctx).is_ok_and(|it| it == *promise)
        };
        let mut all = self.0.borrow_mut();
        let at = all.iter().position(is);
        let found = at.map(|at| all.remove(at));
        drop(all); // what is let go of may run code
        drop(found);
    }

    /// Why the first of them was rejected. Nothing of the context is kept.
    fn take<'js>(&self, ctx: &Ctx<'js>) -> Option<Value<'js>> {
        let all = self.0.take();
        let [_, reason] = all.into_iter().next()?;
        reason.restore(ctx).ok()
    }
}

/// Runs a module to its end.
fn evaluate(ctx: &Ctx<'_>, name: &str, text: &str) -> rquickjs::Result<()> {
    let (_, ended) = Module::declare(ctx.clone(), name, text)?.eval()?;
    ended.finish::<Value>().map(drop)
}

/// Gives testing.js its functions, in an object that it adds itself to.
fn install<'js>(ctx: &Ctx<'js>, stage: &Rc<Stage>) -> rquickjs::Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    let of = stage.clone();
    let ask =
        move |how: String, ty: String, key: String, method: String, args: String, delay: f64| {
            of.with(|world| {
                let (entity, method) = named(&ty, &key, &method).map_err(broken)?;
                asked(world, &how, entity, method, Json::from(args), delay as u64)
            })
        };
    host.set("ask", Func::from(ask))?;
    let of = stage.clone();
    let advance = move |ms: f64| {
        of.with(|world| {
            world.advance(ms as u64)?;
            Ok(Json::from_static(b"null"))
        })
    };
    host.set("advance", Func::from(advance))?;
    let of = stage.clone();
    let state = move |entity: String| {
        of.with(|world| {
            let state = world.state(&entity.parse().map_err(broken)?)?;
            Ok(state.unwrap_or(Json::from_static(b"null")))
        })
    };
    host.set("state", Func::from(state))?;
    let of = stage.clone();
    let now = move || of.world.borrow().as_ref().map_or(0, |world| world.now().0) as f64;
    host.set("now", Func::from(now))?;
    let of = stage.clone();
    let log = move |line: Value<'_>| {
        let line = raw::text(&line).unwrap_or_default();
        of.said.borrow_mut().push(line);
    };
    host.set("log", Func::from(log))?;
    host.set("caught", Func::from(host::caught))?;
    ctx.globals().set("__host", host.clone())?;
    Ok(host)
}

fn named(ty: &str, key: &str, method: &str) -> Result<(EntityId, Method), NameError> {
    let (ty, key) = (EntityType::new(ty)?, Key::new(key)?);
    Ok((EntityId { ty, key }, Method::new(method)?))
}

fn broken(error: impl std::fmt::Display) -> Failed {
    Failed::Broken(error.to_string())
}

fn asked(
    world: &mut dyn World,
    how: &str,
    entity: EntityId,
    method: Method,
    args: Json,
    delay_ms: u64,
) -> Result<Json, Failed> {
    let request = |kind| Request::new(entity, method, kind, args);
    match how {
        "query" => world.query(request(MethodKind::Query)),
        "send" => {
            let id = world.send(request(MethodKind::Update), delay_ms)?;
            Ok(Json::from(serde_json::Value::from(id).to_string()))
        }
        _ => world.call(request(MethodKind::Update)),
    }
}

impl Stage {
    /// Asks the world, and gives what came of it as testing.js reads it. Nothing unwinds through the
    /// interpreter.
    fn with(&self, ask: impl FnOnce(&mut dyn World) -> Result<Json, Failed>) -> String {
        let mut world = self.world.borrow_mut();
        let Some(world) = world.as_mut() else {
            return "bno test runs now: what asks entities stands within a test".to_owned();
        };
        let answered = catch_unwind(AssertUnwindSafe(|| ask(world.as_mut())));
        self.said.borrow_mut().extend(world.overheard());
        match answered.unwrap_or_else(|_| Err(broken("the node under test failed"))) {
            Ok(value) => said(&value, "the value holds", |value| format!("v{value}")),
            Err(Failed::Rejected(rejection)) => {
                let details = rejection.details.unwrap_or(Json::from_static(b"null"));
                let texts = serde_json::json!([rejection.code, rejection.message]).to_string();
                let texts = texts.trim_end_matches(']');
                let holds = "the details of the rejection hold";
                said(&details, holds, |details| format!("r{texts},{details}]"))
            }
            Err(Failed::Broken(message)) => format!("b{message}"),
        }
    }
}

/// What is said of a value, unless JavaScript would change it.
fn said(value: &Json, holds: &str, says: impl FnOnce(&str) -> String) -> String {
    match numbers::inexact(value) {
        Some(number) => format!("b{holds} {number}, which is no JavaScript number"),
        None => says(&String::from_utf8_lossy(value)),
    }
}
