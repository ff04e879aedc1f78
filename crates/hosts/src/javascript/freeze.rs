//! Freezes whatever a call could leave something behind in: the library, the global object, and all that is
//! reachable from what a module binds at its top level and from what its closures hold. Kinds of objects
//! that would change all the same are refused there: generators, typed arrays, weak collections, objects with
//! private fields. Refused, too, is a variable that a function assigns which outlives the start.

use hashbrown::HashSet;
use rquickjs::{Array, Ctx, Function, Object, Value};

use super::compile::Compiled;
use super::fault::Thrown;
use super::instance::{NotMade, each};
use super::raw;

/// Freezes everything that one context shares between calls.
pub fn all<'js>(
    ctx: &Ctx<'js>,
    prelude: &Object<'js>,
    started: &Object<'js>,
    compiled: &Compiled,
    functions: Object<'js>,
    methods: Vec<Value<'js>>,
) -> Result<(), NotMade> {
    let mut freezer = Freezer {
        ctx: ctx.clone(),
        shut: prelude.get("shut")?,
        namespace: raw::class_id(started.as_value()),
        seen: HashSet::with_capacity_and_hasher(4096, Default::default()),
        kinds: HashSet::default(),
        waiting: Vec::with_capacity(1024),
    };
    let samples: Function = prelude.get("samples")?;
    for sample in each(samples.call(())?)? {
        freezer.kinds.insert(raw::class_id(&sample));
    }
    let unnamed: Function = prelude.get("unnamed")?;
    for value in each(unnamed.call::<_, Array>(())?)? {
        freezer.wait(value);
    }
    freezer.wait(prelude.clone().into_value());
    freezer.wait(functions.into_value());
    freezer.wait(ctx.globals().into_value());
    let kept_by_library = |what: &str| {
        Thrown::plain(format!(
            "what was added to the global object or to the library {what}"
        ))
    };
    freezer.run(&kept_by_library)?;
    freezer.bound(prelude, compiled)?;
    for at in compiled.with_default() {
        let namespace: Object = started.get(compiled.namespace(at))?;
        freezer.wait(namespace.get("default")?);
        freezer.run(&|what| compiled.at_default(at, what))?;
    }
    for run in methods {
        freezer.wait(run);
    }
    freezer.run(&|what| Thrown::plain(format!("a method {what}")))?;
    freezer.held(prelude, compiled)
}

/// Addresses of objects are spread well enough by their middle bits.
#[derive(Default, Clone, Copy)]
struct ByAddress(u64);

impl std::hash::Hasher for ByAddress {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (address as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, id: u32) {
        self.0 = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Hash = std::hash::BuildHasherDefault<ByAddress>;

struct Freezer<'js> {
    ctx: Ctx<'js>,
    shut: Function<'js>,
    seen: HashSet<usize, Hash>,
    /// That of namespaces: what files export is frozen by itself, and stays what it was when they had started.
    namespace: u32,
    /// The kinds of objects that a module may keep.
    kinds: HashSet<u32, Hash>,
    waiting: Vec<Object<'js>>,
}

type Refuse<'a> = &'a dyn Fn(&str) -> Thrown;

impl<'js> Freezer<'js> {
    fn wait(&mut self, value: Value<'js>) {
        if let Some(object) = value.into_object()
            && raw::class_id(object.as_value()) != self.namespace
            && self.seen.insert(raw::address(&object))
        {
            self.waiting.push(object);
        }
    }

    /// Freezes what files bind at their top level, each its own: what it passes on is another's.
    fn bound(&mut self, prelude: &Object<'js>, compiled: &Compiled) -> Result<(), NotMade> {
        let bound: Function = prelude.get("bound")?;
        for [file, values] in each(bound.call(())?)?.as_chunks().0 {
            let (file, values) = (number(file), values.get::<Array>()?);
            for (index, value) in each(values)?.into_iter().enumerate() {
                self.wait(value);
                self.run(&|what| compiled.at_kept(file, index, what))?;
            }
        }
        Ok(())
    }

    /// Freezes what closures hold, and ends the start. A module that says so itself may make more of them when it is
    /// asked.
    fn held(&mut self, prelude: &Object<'js>, compiled: &Compiled) -> Result<(), NotMade> {
        let (held, alive): (Function, Function) = (prelude.get("held")?, prelude.get("alive")?);
        while let Some(found) = held.call::<_, Option<Array>>(())? {
            raw::collect_garbage(&self.ctx);
            let living: Array = alive.call((found,))?;
            for [file, index, value] in each(living)?.as_chunks().0 {
                let (file, index) = (number(file), number(index));
                if let Some(assigned) = compiled.assigned(file, index) {
                    return Err(NotMade::Rule(assigned));
                }
                self.wait(value.clone());
                self.run(&|what| compiled.at_held(file, index, what))?;
            }
        }
        Ok(prelude.get::<_, Function>("end")?.call(())?)
    }

    /// Freezes what waits and whatever that holds.
    fn run(&mut self, refuse: Refuse) -> Result<(), NotMade> {
        while let Some(object) = self.waiting.pop() {
            let kind = raw::class_id(object.as_value());
            self.check(&object, kind, refuse)?;
            self.object(&object, refuse)?;
        }
        Ok(())
    }

    fn check(&mut self, object: &Object<'js>, kind: u32, refuse: Refuse) -> Result<(), NotMade> {
        if !self.kinds.contains(&kind) && !object.is_function() {
            let what = raw::class_name(&self.ctx, kind);
            return Err(NotMade::Rule(refuse(&format!(
                "holds an object of the kind {what}, which would change from call to call"
            ))));
        }
        if raw::holds_more(object) {
            for value in each(self.shut.call((object.clone(),))?)? {
                self.wait(value);
            }
        }
        Ok(())
    }

    fn object(&mut self, object: &Object<'js>, refuse: Refuse) -> Result<(), NotMade> {
        let ctx = self.ctx.clone();
        raw::freeze(&ctx, object)?;
        let private = raw::own_values(&ctx, object, |value| self.wait(value))?;
        if private {
            return Err(NotMade::Rule(refuse(
                "holds an object with private fields, which would change unseen",
            )));
        }
        if let Some(prototype) = object.get_prototype() {
            self.wait(prototype.into_value());
        }
        Ok(())
    }
}

/// The number that what is inserted gives; of what a module says in its place, perhaps none there is.
fn number(value: &Value<'_>) -> usize {
    value.as_number().map_or(usize::MAX, |it| it as usize)
}
