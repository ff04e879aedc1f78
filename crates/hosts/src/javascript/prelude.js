// The module "ordain": what a user's module imports, and the context that its methods get. Runs once in each
// context, before the user's modules. `host` holds the functions that the host brings; nothing here keeps state
// between two calls. One text with shared.js before it, and lists.js, work.js, dates.js and library.js after it:
// the library, whose last lines begin it all.

const host = globalThis.__host;
delete globalThis.__host;

// As they are now: until it is frozen, a module may put others in their place.
const { Boolean, BigInt, Number, Object, RegExp, String, Symbol, WeakSet } = globalThis;
const { create, defineProperty, freeze, getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf, hasOwn, isExtensible, isFrozen, keys } = Object;
const { isArray } = Array;
const { isFinite, isNaN } = Number;
const { isView } = ArrayBuffer;
const { stringify } = JSON;
const { apply, construct, ownKeys } = Reflect;
const { isWellFormed } = String.prototype;

/// What `query(fn)` gives: the function, marked.
class Query {
  constructor(run) {
    this.run = run;
  }
}

export function query(run) {
  if (typeof run !== "function") throw new TypeError("query(…) takes a function: query((cx, args) => …)");
  return new Query(run);
}

/// What `entity(…)` gives. The host names it when its module has started.
class Entity {
  constructor(state, methods, options) {
    this.state = state;
    this.methods = methods;
    this.options = options;
    this.type = undefined;
    this.calls = undefined;
    this.sends = undefined;
  }
}

/// The entity types of the module, by their names: prototypes of handles, as entity types have them.
const named = create(null);

/// Makes an entity type callable, as such and under its name.
function name(entity, type) {
  entity.type = type;
  const methods = getOwnPropertyNames(entity.methods);
  entity.calls = handles(null, type, methods, call);
  entity.sends = handles(null, type, methods, send);
  const unknown = new Unknown(type);
  named[type] = {
    calls: handles(unknown.calls, type, methods, call),
    sends: handles(unknown.sends, type, methods, send),
  };
}

const OPTIONS = { name: true, version: true, migrate: true };
const SEND = { delay: true };
const RANGE = { prefix: "string", from: "string", to: "string", reverse: "boolean", limit: "number" };

/// Options, if they have no other names than these: one that is misspelt would count for nothing.
function known(options, names, what, are) {
  if (!isObject(options)) throw new TypeError(`${what} takes its options as an object; it has ${are}`);
  const given = getOwnPropertyNames(options);
  for (let at = 0; at < given.length; at++) {
    if (!hasOwn(names, given[at])) throw new TypeError(`${what} has no option \`${given[at]}\`; it has ${are}`);
  }
  return options;
}

export function entity(state, methods, options = {}) {
  if (typeof methods !== "object" || methods === null) {
    throw new TypeError("entity(state, methods) takes an object of methods: entity({ balance: 0 }, { deposit(cx, args) { … } })");
  }
  return new Entity(state, methods, known(options, OPTIONS, "entity(…)", "name, version and migrate"));
}

// ---- calls ----------------------------------------------------------------------------------------

/// Where a handle keeps whom it calls: no method can have these names.
const KEY = Symbol("key");
const DELAY = Symbol("delay");

const call = (type, handle, method, args) => host.call(type, handle[KEY], method, args);
const send = (type, handle, method, args) => host.send(type, handle[KEY], method, args, handle[DELAY]);

/// A prototype of handles with a function for each method. Frozen: handles show it to all calls.
function handles(above, type, methods, make) {
  const prototype = create(above);
  for (let at = 0; at < methods.length; at++) {
    const method = methods[at];
    const { value } = { value(args) { return make(type, this, method, args); } };
    defineProperty(prototype, method, { value: freeze(value) });
  }
  return freeze(prototype);
}

/// An entity type of which it is not known what methods it has: that is seen when one is called.
class Unknown {
  constructor(type) {
    this.type = type;
  }
  get calls() {
    return anyMethod(this.type, call);
  }
  get sends() {
    return anyMethod(this.type, send);
  }
}

/// A prototype of handles with any method. Nothing of it can change: all calls may share it.
function anyMethod(type, make) {
  const get = (_, method, handle) => (typeof method === "string" ? (args) => make(type, handle, method, args) : undefined);
  return new Proxy(freeze({ __proto__: null, [KEY]: undefined }), freeze({ __proto__: null, get }));
}

/// What has prototypes of handles of an entity type, which is given as such or by its name.
function find(to, what) {
  if (to instanceof Entity && to.type !== undefined) return to;
  if (typeof to === "string") return named[to] ?? new Unknown(to);
  if (to instanceof Entity) {
    throw new TypeError(`${what} was given an entity that is no entity type of the module: export it from the file that is deployed, as in \`export { account } from "./account.ts"\``);
  }
  throw new TypeError(`${what} takes an entity of entity(…) or the name of an entity type`);
}

/// What a range says under a name, if it says something there.
function ofRange(range, name) {
  const value = range[name] ?? undefined;
  if (value === undefined) return value;
  if (typeof value !== RANGE[name]) throw new TypeError(`the option \`${name}\` of cx.scan(…) is a ${RANGE[name]}, not of the type ${typeof value}`);
  if (typeof value === "string" && !apply(isWellFormed, value, [])) {
    throw new TypeError(`the option \`${name}\` of cx.scan(…) has half of a surrogate pair for a character`);
  }
  return value;
}

class Field {
  constructor(name) {
    this.name = name;
  }
  get() {
    return host.fieldGet(this.name);
  }
  put(value) {
    host.fieldPut(this.name, value);
  }
  delete() {
    host.fieldDelete(this.name);
  }
}

class Context {
  get key() {
    return host.key();
  }
  get id() {
    return host.id();
  }
  get caller() {
    return host.caller();
  }
  get seq() {
    return host.seq();
  }
  now() {
    return host.now();
  }
  random() {
    return host.random();
  }
  uuid() {
    return host.uuid();
  }
  log(...values) {
    host.log(words(values));
  }
  field(name) {
    return new Field(name);
  }
  scan(range = {}) {
    known(range, RANGE, "cx.scan(…)", "prefix, from, to, reverse and limit");
    const of = (name) => ofRange(range, name);
    return host.scan(of("from"), of("to"), of("prefix"), of("reverse") ?? false, of("limit"));
  }
  call(to, key) {
    return { __proto__: find(to, "cx.call").calls, [KEY]: key };
  }
  send(to, key, options = {}) {
    const { delay } = known(options, SEND, "cx.send(…)", "delay");
    return { __proto__: find(to, "cx.send").sends, [KEY]: key, [DELAY]: milliseconds(delay) };
  }
}

// The host's functions themselves: nothing is looked at more often.
defineProperty(Context.prototype, "state", { get: host.state, set: host.setState, enumerable: false, configurable: true });

// ---- state ----------------------------------------------------------------------------------------

/// Makes `old` equal to `now` in place, so that who holds it sees what a call that came back wrote. What was in it and is
/// no more can be read still; writing it would be lost, and so is refused.
function refresh(old, now) {
  const [before, used] = [[], new WeakSet()];
  collect(old, before, new WeakSet());
  const merged = merge(old, now, used);
  for (let at = 0; at < before.length; at++) if (!apply(isKept, used, [before[at]])) letGo(before[at]);
  return merged;
}

/// All objects in a state, but those that may not be changed anyway: what lies in them may. The module's own are frozen to
/// the bottom.
function collect(it, found, seen) {
  if (!isObject(it) || typeof it === "function" || isView(it) || apply(isKept, seen, [it])) return;
  apply(keep, seen, [it]);
  if (!isFrozen(it)) push(found, it);
  const names = keys(it);
  for (let at = 0; at < names.length; at++) collect(it[names[at]], found, seen);
}

/// Properties of an object that say more than that they are read-only.
const SAYING_MAX = 100;

/// What of `kept` was let go of: freezing leaves dates open.
const letGone = new WeakSet();

function gone() {
  throw new TypeError("this is not in `cx.state` any more: a call that came back to the entity took it out; take what is there now from `cx.state` after the call");
}

function letGo(it) {
  const names = keys(it);
  for (let at = 0; at < min(names.length, SAYING_MAX); at++) {
    const found = getOwnPropertyDescriptor(it, names[at]);
    if (!found.configurable || !hasOwn(found, "value")) continue;
    defineProperty(it, names[at], { __proto__: null, get: () => found.value, set: gone, enumerable: true, configurable: false });
  }
  apply(keep, kept, [it]);
  apply(keep, letGone, [it]);
  freeze(it);
}

/// `now`, in the object that was there before, if that can be: not one that may not be changed (the module's
/// own), nor one that already stands elsewhere (one object in two places is two once it is stored), nor one that says itself
/// what its JSON is: what it holds is something else.
function merge(old, now, used) {
  if (typeof old !== "object" || typeof now !== "object" || old === null || now === null) return now;
  if (isArray(old) !== isArray(now) || !isExtensible(old) || typeof old.toJSON === "function" || apply(isKept, used, [old])) return now;
  apply(keep, used, [old]);
  const before = isArray(old) ? places(old, now) : old;
  const [names, merged] = [keys(now), []];
  for (let at = 0; at < names.length; at++) push(merged, merge(hasOwn(before, names[at]) ? before[names[at]] : undefined, now[names[at]], used));
  if (isArray(old)) {
    old.length = 0;
  } else {
    const were = ownKeys(old);
    for (let at = 0; at < were.length; at++) if (!hasOwn(now, were[at])) delete old[were[at]];
  }
  for (let at = 0; at < names.length; at++) put(old, names[at], merged[at]);
  return old;
}

/// For each place of `now` the element of `old` that is there now: the one that is unchanged, at its place or moved; else
/// the one that has the same `id` or `key`; else, where neither has one, what was at this place, if none moved.
function places(old, now) {
  const [from, taken] = [[], []];
  for (let at = 0; at < now.length; at++) put(from, at, undefined);
  let moved = old.length !== now.length;
  const take = (at, place) => {
    from[at] = old[place];
    taken[place] = true;
    if (at !== place) moved = true;
  };
  pair(old, now, from, taken, take, jsonOf);
  pair(old, now, from, taken, take, nameOf);
  if (moved) return from;
  for (let at = 0; at < now.length; at++) {
    if (!isObject(now[at]) || from[at] !== undefined || taken[at]) continue;
    if (nameOf(old[at]) === undefined && nameOf(now[at]) === undefined) take(at, at);
  }
  return from;
}

/// Takes those of which `mark` gives the same, at their places first, and then the first that is left.
function pair(old, now, from, taken, take, mark) {
  const [was, is, left] = [[], [], create(null)];
  for (let at = 0; at < old.length; at++) push(was, taken[at] ? undefined : mark(old[at]));
  for (let at = 0; at < now.length; at++) {
    push(is, from[at] === undefined ? mark(now[at]) : undefined);
    if (is[at] !== undefined && was[at] === is[at]) take(at, at);
  }
  for (let at = 0; at < old.length; at++) {
    if (was[at] === undefined || taken[at]) continue;
    left[was[at]] ??= { next: 0, places: [] };
    push(left[was[at]].places, at);
  }
  for (let at = 0; at < now.length; at++) {
    const these = is[at] === undefined || from[at] !== undefined ? undefined : left[is[at]];
    if (these !== undefined && these.next < these.places.length) take(at, these.places[these.next++]);
  }
}

/// The JSON of an object.
function jsonOf(it) {
  const text = isObject(it) ? stringify(it) : undefined;
  if (text !== undefined) counted(text.length, 64);
  return text;
}

/// What an object says that it is, whatever else changes of it.
function nameOf(it) {
  if (!isObject(it) || isArray(it)) return undefined;
  const name = hasOwn(it, "id") ? it.id : hasOwn(it, "key") ? it.key : undefined;
  return typeof name === "string" || typeof name === "number" ? stringify(name) : undefined;
}

/// Fills in the top-level defaults that a plain object lacks.
function fill(value, defaults) {
  return { ...defaults, ...value };
}

/// What JSON has nothing for.
const KINDS = [Map, Set, WeakMap, WeakSet, globalThis.WeakRef, globalThis.Promise, RegExp, ArrayBuffer, Error, Iterator, Symbol, BigInt];

/// What of a value JSON would lose, as a path and a reason; undefined if nothing. `within` is what the value lies in, and
/// null of one that lies in nothing; undefined where it is known that nothing lies in itself.
function lossy(value, path, within) {
  if (typeof value === "number" && !isFinite(value)) return `${path} is ${value}`;
  if (typeof value === "string" && !apply(isWellFormed, value, [])) return `${path} has half of a surrogate pair for a character`;
  if (typeof value === "bigint" && typeof value.toJSON !== "function") return `${path} is a BigInt`;
  if (typeof value !== "object" || value === null) return undefined;
  if (typeof value.toJSON === "function") return isInvalid(value) ? `${path} is an Invalid Date` : undefined;
  if (within !== undefined) {
    for (let above = within; above !== null; above = above.above) {
      if (above.it === value) return `${path} is an object that it lies in itself`;
    }
    within = { it: value, above: within };
  }
  if (isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      // As a property each is left out, as everyone expects; here it would be null.
      const none = ["undefined", "function", "symbol"].includes(typeof value[at]);
      const lost = none ? `${path}[${at}] is ${value[at] === undefined ? "" : "a "}${typeof value[at]}` : lossy(value[at], `${path}[${at}]`, within);
      if (lost !== undefined) return lost;
    }
    return undefined;
  }
  if (isView(value)) return `${path} is a ${value.constructor.name}`;
  for (let at = 0; at < KINDS.length; at++) if (value instanceof KINDS[at]) return `${path} is a ${KINDS[at].name}`;
  if (value instanceof Number) return lossy(Number(value), path);
  const names = keys(value);
  for (let at = 0; at < names.length; at++) {
    if (!apply(isWellFormed, names[at], [])) return `a name in ${path} has half of a surrogate pair for a character`;
    const lost = lossy(value[names[at]], `${path}.${names[at]}`, within);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

// ---- what a module keeps -----------------------------------------------------------------------------

class ModuleState extends TypeError {}

/// What a module keeps of the kinds that hold something beside their properties, which freezing leaves open.
const kept = new WeakSet();
const { add: keep, has: isKept } = WeakSet.prototype;
const { forEach: eachOfMap } = Map.prototype;
const { forEach: eachOfSet } = Set.prototype;

/// Makes the methods that change an object of a kind ask whether a module keeps it, however they are come by.
function guard({ name: kind, prototype }, names) {
  replace(prototype, names, (change, name) => ({
    [name](...args) {
      if (apply(isKept, kept, [this])) {
        if (apply(isKept, letGone, [this])) gone();
        throw new ModuleState(`\`${name}\` of a module-level ${kind} is read-only`);
      }
      return apply(change, this, args);
    },
  }));
}

/// An error that the host has looked at: where it is a fault, it goes no further.
function lookedAt(error) {
  host.caught(error);
  return error;
}

/// The constructor of regular expressions, as modules have it.
function Pattern(pattern, flags) {
  if (new.target === undefined && flags === undefined && isObject(pattern) && pattern[Symbol.match] && pattern.constructor === Pattern) return pattern;
  try {
    return construct(RegExp, [pattern, flags], new.target ?? Pattern);
  } catch (error) {
    throw lookedAt(error);
  }
}

const { get: isGlobal } = getOwnPropertyDescriptor(RegExp.prototype, "global");
const { get: isSticky } = getOwnPropertyDescriptor(RegExp.prototype, "sticky");

/// Whether a value is a regular expression that goes on where it stood, without running code of the module to see.
function goesOn(value) {
  try {
    return apply(isGlobal, value, []) || apply(isSticky, value, []);
  } catch {
    return false;
  }
}

/// Shuts what freezing leaves open in the library's own objects, and gives what they hold.
function shut(value) {
  apply(keep, kept, [value]);
  const held = [];
  const hold = (it, key) => {
    push(held, it);
    push(held, key);
  };
  // What it is its methods know: a prototype may be another's, and every iterator the module's own.
  const look = (each) => {
    try {
      apply(each, value, [hold]);
    } catch {}
  };
  look(eachOfMap);
  look(eachOfSet);
  if (goesOn(value)) {
    // Where it stood is state; these begin anew each time, with a copy.
    for (const symbol of [Symbol.replace, Symbol.match, Symbol.search]) {
      const method = RegExp.prototype[symbol];
      const anew = (...args) => apply(method, new Pattern(value.source, value.flags), args);
      look(() => defineProperty(value, symbol, { value: anew })); // not if it is frozen, and so cannot be used anyway
    }
  }
  return held;
}

/// Whether the module has started. Until then closures that are made may live on: code that has variables which
/// functions within it use says so (`syntax/closures.rs`), and functions that are bound are noted here.
export let __ordain_started = false;
/// File, and a function that gives what it binds at its top level, in a list, of each.
let keepers = [];
/// File, number of a variable, and a function that gives it, of each; no file for what is bound.
let holders = [];
let rounds = 0;

const push = (list, value) => defineProperty(list, list.length, { __proto__: null, value });

/// Takes a function that gives what a file binds. It says so at its end, and is asked when all have started: until then
/// variables may change.
export function __ordain_keeps(file, give) {
  if (__ordain_started) return;
  push(keepers, file);
  push(keepers, give);
}

/// What files bind: file and a list of the values, of each.
function bound() {
  const found = [];
  for (let at = 0; at < keepers.length; at += 2) {
    push(found, keepers[at]);
    push(found, apply(keepers[at + 1], undefined, []));
  }
  return found;
}

/// Takes functions that give what code of a file holds, numbered from the first.
export function __ordain_holds(file, first, give) {
  if (__ordain_started) return;
  for (let at = 0; at < give.length; at++) {
    push(holders, file);
    push(holders, first + at);
    push(holders, give[at]);
  }
}

/// What closures hold that were not asked for before: file and number of each variable, and what it holds, weakly. One
/// that a function assigns is set to something new, which only functions that could do so hold. Undefined: there is no more.
function held() {
  if (holders.length === 0) return undefined;
  if (++rounds > 100) throw new ModuleState("the module goes on making functions while those that it made are looked at");
  const asked = holders;
  const found = [];
  holders = [];
  for (let at = 0; at < asked.length; at += 3) {
    try {
      const value = apply(asked[at + 2], undefined, [{}]);
      if (isObject(value)) {
        push(found, asked[at]);
        push(found, asked[at + 1]);
        push(found, new WeakRef(value));
      }
    } catch {} // its code ended before it had a value
  }
  return found;
}

/// What of that is alive. Between the two, garbage is to be collected.
function alive(found) {
  const living = [];
  for (let at = 0; at < found.length; at += 3) {
    const value = apply(deref, found[at + 2], []);
    if (value !== undefined) {
      push(living, found[at]);
      push(living, found[at + 1]);
      push(living, value);
    }
  }
  return living;
}

const isObject = (it) => (typeof it === "object" && it !== null) || typeof it === "function";

/// Ends the start.
function end() {
  keepers = [];
  __ordain_started = true;
}

function noteBound() {
  replace(getPrototypeOf(held), ["bind"], (_, name) => ({
    [name](self, ...values) {
      const target = this;
      if (typeof target !== "function") throw new TypeError("not a function");
      if (!__ordain_started) {
        __ordain_holds(Infinity, 0, [() => target]);
        __ordain_holds(Infinity, 0, [() => self]);
        for (let at = 0; at < values.length; at++) __ordain_holds(Infinity, 0, [() => values[at]]);
      }
      // None of the interpreter's own: where it finds no memory for one, it ends the process.
      const bound = function (...more) {
        const args = [];
        for (let at = 0; at < values.length; at++) push(args, values[at]);
        for (let at = 0; at < more.length; at++) push(args, more[at]);
        if (new.target === undefined) return apply(target, self, args);
        return construct(target, args, new.target === bound ? target : new.target);
      };
      const [length, called] = [hasOwn(target, "length") ? target.length : 0, target.name];
      const says = (what, value) => defineProperty(bound, what, { __proto__: null, value, configurable: true });
      says("name", "bound " + (typeof called === "string" ? called : ""));
      says("length", typeof length === "number" ? max(length - values.length, 0) : 0);
      bound.prototype = undefined;
      defineProperty(bound, Symbol.hasInstance, { __proto__: null, value: (it) => it instanceof target });
      return bound;
    },
  }));
}
