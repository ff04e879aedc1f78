// ---- the library ---------------------------------------------------------------------------------------

function define(object, name, value) {
  defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
}

/// Puts what `make` gives of a function, in an object under the same name, in its place.
function replace(object, names, make) {
  for (const name of names) {
    const run = object[name];
    if (run === undefined) continue;
    const { [name]: made } = make(run, name);
    defineProperty(made, "length", { value: run.length });
    define(object, name, made);
  }
}

/// Iterators as the language has them for those that are ordinary objects here, whose functions keep where they stand: what
/// `map` gives is of a kind that no module may keep.
function guardIterators() {
  const { map } = Iterator.prototype;
  const same = (it) => it;
  replace(Iterator, ["zip", "zipKeyed"], (zip, name) => ({
    [name](...args) {
      return apply(map, apply(zip, this, args), [same]);
    },
  }));
}

/// Has the host see what makes a pattern fail. One that nests too deep for the stack fails when it was left again, and only
/// the message tells: where an iterator that is closed for another error drops this one, the outcome would be that of the stack.
function guardPatterns() {
  replace(RegExp.prototype, [Symbol.matchAll, Symbol.split], (run, name) => ({
    [name](...args) {
      try {
        return apply(run, this, args);
      } catch (error) {
        throw lookedAt(error);
      }
    },
  }));
  replace(RegExp.prototype, [Symbol.replace], (run, name) => ({
    [name](text, by) {
      if (by !== "" || !isOrdinary(this) || !this.global) return apply(run, this, [text, by]);
      // The interpreter has a short way of deleting, for what its own constructor made.
      const own = construct(RegExp, [this]);
      defineProperty(own, "constructor", { __proto__: null, value: RegExp });
      this.lastIndex = 0;
      return apply(run, own, [text, by]);
    },
  }));
  push(replaced, RegExp);
  for (const key of ownKeys(RegExp)) defineProperty(Pattern, key, getOwnPropertyDescriptor(RegExp, key));
  define(RegExp.prototype, "constructor", Pattern);
  define(globalThis, "RegExp", Pattern);
}

/// Whether a value is a regular expression that has nothing of its own.
function isOrdinary(value) {
  return isObject(value) && getPrototypeOf(value) === RegExp.prototype && ownKeys(value).length === 1 && value.constructor === Pattern && value.exec === exec;
}

/// A frozen prototype would keep objects from having their own property of the same name, which
/// assigning makes: where programs do that, the prototype gets accessors that still allow it. What is `replaceable` a module
/// may assign to the prototype itself, until that is frozen.
function allowOwn(prototype, names, replaceable = false) {
  for (const name of names) {
    const found = getOwnPropertyDescriptor(prototype, name);
    if (found === undefined || !("value" in found)) continue;
    const { value } = found;
    push(replaced, value); // the accessor holds it unseen
    defineProperty(prototype, name, {
      get: () => value,
      set(own) {
        if (this === prototype) {
          if (!replaceable || __ordain_started) throw new ModuleState(`'${name}' is read-only`);
          define(prototype, name, own);
        } else {
          defineProperty(this, name, { value: own, writable: true, enumerable: true, configurable: true });
        }
      },
      enumerable: false,
      configurable: replaceable,
    });
  }
}

function setLibrary() {
  setDate();
  countWork();
  countLists();
  guardIterators();
  guardPatterns();
  noteBound();
  guard(Map, ["set", "delete", "clear", "getOrInsert", "getOrInsertComputed"]);
  guard(Set, ["add", "delete", "clear"]);
  guard(Date, getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith("set")));
  const { random } = { random: () => host.random() };
  define(Math, "random", random);
  defineProperty(globalThis, "__ordain_caught", { value: host.caught });
  defineProperty(globalThis, "__ordain_tagged", { value: tagged });
  for (const name of ["Promise", "WeakRef", "FinalizationRegistry", "eval", "Function", "SharedArrayBuffer", "Atomics", "performance", "queueMicrotask", "DOMException", "AsyncDisposableStack", "Proxy"]) {
    delete globalThis[name];
  }
  // The host sees each error as it is made: who drops it may be where the stack ended.
  Error.stackTraceLimit = { __proto__: null, [Symbol.toPrimitive]: host.traced };
  // Both would be state that all errors share.
  delete Error.prepareStackTrace;
  delete Error.stackTraceLimit;
  delete Array.fromAsync;
  // It writes JSON that no value here is.
  delete JSON.rawJSON;
  delete JSON.isRawJSON;
  // It changes what is frozen.
  delete RegExp.prototype.compile;
  allowOwn(Object.prototype, getOwnPropertyNames(Object.prototype));
  allowOwn(Date.prototype, ["toJSON", "toISOString", "toString", "constructor"], true);
  for (const error of [Error, TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError, AggregateError, SuppressedError, InternalError, Rejection]) {
    allowOwn(error.prototype, ["name", "message", "toString", "constructor"]);
  }
}

const { Promise, Proxy, WeakRef } = globalThis;
const { deref } = WeakRef.prototype;

/// What has no name, and still is the same for everyone.
function unnamed() {
  function* generator() {}
  const iterators = [[].values(), new Map().values(), new Set().values(), ""[Symbol.iterator](), "".matchAll(/x/g), generator(), [].values().map((it) => it), Iterator.from({ next() {} })];
  const functions = [generator, async () => {}, async function* () {}];
  const holders = functions.map((it) => it.prototype).filter((it) => it !== undefined);
  const above = [...iterators, ...functions, ...holders].map((it) => getPrototypeOf(it));
  return [...above, ...above.map((it) => getPrototypeOf(it)), getPrototypeOf(Int8Array), Native, Promise, Proxy, WeakRef, ...replaced];
}

/// One of each kind of object that a module may keep.
function samples() {
  return [{}, [], () => {}, function () {}, function* () {}, class {}, isArray, new Error(), Object(1), Object(""), Object(true), Object(Symbol()), Object(1n), new Native(0), /x/, new Map(), new Set(), globalThis, host.now];
}

setLibrary();
const shared = unnamed();
const sampled = samples(); // before a module can say what `new Map()` gives
host.prelude = { exports: [entity, query, reject, __ordain_keeps, __ordain_holds, Field], Entity, Query, Rejection, ModuleState, context: Context.prototype, name, refresh, fill, lossy, shut, bound, held, alive, end, unnamed: () => shared, samples: () => sampled };
