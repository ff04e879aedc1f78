// ---- lists -----------------------------------------------------------------------------------------

// What the library goes through for a module, and how long that is. A built-in function asks an object for its length
// itself, after who counts has: so no code of the module may run in between, or answer otherwise the second time. Nor may
// a module put something else in the place of what counting goes by: what that needs was taken before it began, and
// nothing here spreads, takes apart or iterates what is to be counted, or makes texts by templates.

const List = Array;
const Typed = getPrototypeOf(Int8Array);
const { get: typedLength } = getOwnPropertyDescriptor(Typed.prototype, "length");
const { max, min, trunc } = Math;
const LENGTH_MAX = Number.MAX_SAFE_INTEGER;

/// How an object has a property, itself or from above, without running code of the module; undefined: it has none.
function property(object, name) {
  if (KEY in object) throw new TypeError("a handle of an entity is no list");
  for (let at = object; at !== null; at = getPrototypeOf(at)) {
    const found = getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/// What the language makes of the value of a `length`.
function toLength(value) {
  const length = trunc(+value);
  return length > 0 ? min(length, LENGTH_MAX) : 0;
}

/// The length that a built-in function will find; none (NaN) where that may be another each time it is asked for.
function steadyLength(it) {
  if (isArray(it)) return it.length;
  if (it === undefined || it === null) return 0;
  const found = property(Object(it), "length");
  if (found === undefined) return 0;
  if (!hasOwn(found, "value")) return found.get === typedLength ? apply(typedLength, it, []) : NaN;
  const { value } = found;
  if (typeof value === "bigint" || typeof value === "symbol") return 0; // which no function takes
  return isObject(value) ? NaN : toLength(value);
}

/// The same, where a length that may change is refused.
function lengthOf(it) {
  const length = steadyLength(it);
  if (length !== length) throw new TypeError("the `length` of what is no array must be a number here, not code that gives one");
  return length;
}

/// Whether an object is gone through by its length, for it is not iterable. Refuses what may be one or the other.
function isListed(it) {
  const found = property(Object(it), Symbol.iterator);
  if (found === undefined) return true;
  if (hasOwn(found, "value")) return found.value === undefined || found.value === null;
  throw new TypeError("the `[Symbol.iterator]` of an object must be a function here, not code that gives one");
}

/// An iterator whose every step is one of the interpreter too.
function stepping(it) {
  return {
    get next() {
      const { next } = it;
      return () => apply(next, it, []);
    },
    return() {
      const { return: end } = it;
      return end === undefined || end === null ? {} : apply(end, it, []);
    },
  };
}

/// Goes through all that `items` gives, with a step of the interpreter for each.
function steps(items) {
  const { [Symbol.iterator]: iterate } = items;
  return { [Symbol.iterator]: () => stepping(apply(iterate, items, [])) };
}

// Those that find out how much they have to do only while they do it are written anew: then the
// interpreter counts it.

/// A new list of the kind that a list's class makes.
function listLike(list) {
  if (!isArray(list)) return [];
  let { constructor: make } = list;
  if (isObject(make)) make = make[Symbol.species] ?? undefined;
  return make === undefined || make === List ? [] : new make(0);
}

const put = (list, at, value) => defineProperty(list, at, { __proto__: null, value, writable: true, enumerable: true, configurable: true });

/// Appends each element of `list` that is there, as `add` says, and gives where it ended.
function each(list, add) {
  const length = toLength(list.length);
  counted(length, 8);
  for (let at = 0; at < length; at++) if (at in list) add(list[at], at);
  return length;
}

function object(it, name) {
  if (it === undefined || it === null) throw new TypeError("`" + name + "` takes no " + it);
  return Object(it);
}

function callable(it) {
  if (typeof it !== "function") throw new TypeError("not a function");
}

const rewritten = {
  raw(strings, ...values) {
    const { raw: list } = strings;
    const parts = object(list, "raw");
    const length = toLength(parts.length);
    counted(length, 8);
    let text = "";
    for (let at = 0; at < length; at++) {
      text += toText(parts[at]);
      if (at + 1 < length && at < values.length) text += toText(values[at]);
    }
    return text;
  },
  concat(...all) {
    return concat(object(this, "concat"), all);
  },
  flat(depth) {
    const list = object(this, "flat");
    depth = depth === undefined ? 1 : trunc(+depth) || 0;
    const made = listLike(list);
    flatten(made, 0, list, depth);
    return made;
  },
  flatMap(map, self) {
    const list = object(this, "flatMap");
    callable(map);
    const made = listLike(list);
    let end = 0;
    each(list, (it, at) => {
      const mapped = apply(map, self, [it, at, list]);
      if (isArray(mapped)) end = flatten(made, end, mapped, 0);
      else put(made, end++, mapped);
    });
    return made;
  },
  fromEntries(items) {
    const made = {};
    for (const entry of items) {
      if (!isObject(entry)) throw new TypeError("an entry of `fromEntries` is no object");
      const { 0: key, 1: value } = entry;
      put(made, key, value);
    }
    return made;
  },
};

function concat(list, more) {
  const made = listLike(list);
  let end = 0;
  for (let at = -1; at < more.length; at++) {
    const it = at < 0 ? list : more[at];
    if (!spreads(it)) {
      put(made, end++, it);
      continue;
    }
    const begin = end;
    end += each(it, (value, from) => put(made, begin + from, value));
    if (end > LENGTH_MAX) throw new TypeError("Array too long");
  }
  made.length = end;
  return made;
}

function spreads(it) {
  if (!isObject(it)) return false;
  const spread = it[Symbol.isConcatSpreadable];
  return spread === undefined ? isArray(it) : !!spread;
}

function flatten(made, end, list, depth) {
  each(list, (it) => {
    if (depth > 0 && isArray(it)) end = flatten(made, end, it, depth - 1);
    else put(made, end++, it);
  });
  return end;
}

/// Replaces those that find it out at their beginning, but may be made to find something else.
function countLists() {
  replace(List.prototype, ["concat", "flat", "flatMap"], (_, name) => ({ [name]: rewritten[name] }));
  replace(String, ["raw"], (_, name) => ({ [name]: rewritten[name] }));
  replace(Object, ["fromEntries"], (_, name) => ({ [name]: rewritten[name] }));
  replace(List, ["from"], (from, name) => ({
    [name](...args) {
      const items = args[0];
      if (items === undefined || items === null) return from();
      const mine = this === List; // what it makes takes memory for each element, which counts
      if (mine ? property(Object(items), Symbol.iterator) === undefined : isListed(items)) counted(mine ? steadyLength(items) : lengthOf(items), 8);
      else if (!mine) args[0] = steps(items);
      return apply(from, this, args);
    },
  }));
  replace(Typed, ["from"], (from, name) => ({
    [name](...args) {
      args[0] = listed(args[0]);
      return apply(from, this, args);
    },
  }));
  for (const name of getOwnPropertyNames(globalThis)) {
    const made = globalThis[name];
    if (typeof made === "function" && getPrototypeOf(made) === Typed) countTyped(name, made);
  }
  replace(Iterator.prototype, ["drop", "includes", "join"], (run, name) => ({
    [name](...args) {
      return apply(run, isObject(this) ? stepping(this) : this, args);
    },
  }));
  replace(Math, ["sumPrecise"], (sum, name) => ({
    [name](items) {
      return sum(items === undefined || items === null ? items : steps(items));
    },
  }));
  const { get: size } = getOwnPropertyDescriptor(Set.prototype, "size");
  replace(Set.prototype, ["union", "intersection", "difference", "symmetricDifference", "isSubsetOf", "isSupersetOf", "isDisjointFrom"], (run, name) => ({
    [name](other) {
      counted(apply(size, this, []), 256);
      return apply(run, this, [isObject(other) ? setLike(other) : other]);
    },
  }));
}

/// The same set, whose every question and step is one of the interpreter too.
function setLike(other) {
  const { size, has, keys } = other;
  if (typeof has !== "function" || typeof keys !== "function") return { size, has, keys };
  return { size, has: (it) => apply(has, other, [it]), keys: () => stepping(apply(keys, other, [])) };
}

/// What makes a typed array of a list takes no memory for each element of it, and little where that is a typed one.
function listed(items) {
  if (!isObject(items)) return items;
  const length = ofTyped(items);
  if (length > 0) counted(length, 8);
  else if (!isView(items) && isListed(items)) counted(lengthOf(items), 32);
  return items;
}

/// What was replaced and only the replacement holds, for those who freeze.
const replaced = [];

function countTyped(name, Native) {
  const { [name]: Made } = {
    [name]: function (...args) {
      if (new.target === undefined) throw new TypeError(name + " must be called with new");
      if (args.length > 0) args[0] = listed(args[0]);
      return construct(Native, args, new.target);
    },
  };
  push(replaced, Native);
  Object.setPrototypeOf(Made, Typed);
  for (const key of ownKeys(Native)) defineProperty(Made, key, getOwnPropertyDescriptor(Native, key));
  define(Native.prototype, "constructor", Made);
  define(globalThis, name, Made);
}
