// ---- work ------------------------------------------------------------------------------------------

/// Elements that a built-in function may go through for one step of the interpreter.
const ONE_STEP = 256;

/// Makes built-in functions that go through all of an object say so: the interpreter counts none of that, and no
/// memory is taken that would be counted. `size` gives the elements of `this`, `each` is the work of one.
function count(object, size, each, names) {
  replace(object, names, (run, name) => ({
    [name](...args) {
      counted(size(this, args), each);
      return apply(run, this, args);
    },
  }));
}

/// The same of those that make a text or a list, for its length: how long it gets is known when it is there.
function countMade(object, each, names) {
  replace(object, names, (run, name) => ({
    [name](...args) {
      const made = apply(run, this, args);
      counted(typeof made === "string" || isArray(made) ? made.length : 0, each);
      return made;
    },
  }));
}

function counted(elements, each) {
  if (elements > ONE_STEP) host.works(elements * each);
}

const ofText = (it) => (typeof it === "string" ? it.length : 0);
const ofArray = (it) => (isArray(it) ? it.length : 0);

function ofTyped(it) {
  try {
    return apply(typedLength, it, []);
  } catch {
    return 0; // it is none, whatever it says it is
  }
}

/// The elements from one index to another, which may count from the end. An object there would be asked again: all, then.
function ofPart(it, args) {
  const length = lengthOf(it);
  const place = (index, otherwise) => {
    if (index === undefined) return otherwise;
    if (typeof index !== "number") return NaN;
    const at = trunc(index) || 0;
    return at < 0 ? max(length + at, 0) : min(at, length);
  };
  const part = place(args[1], length) - place(args[0], 0);
  return part === part ? part : length;
}

const ofNames = (it) => (isObject(it) ? ownKeys(it).length : 0);

/// What the language makes of a value where a text is wanted.
const toText = (it) => (isObject(it) ? String(it) : "" + it);
/// The same of objects alone: of what is none, nothing can change.
const textOf = (it) => (isObject(it) ? String(it) : it);

/// Functions of a text, which may be given as an object: what is counted is what it is made into, once.
function countText(each, names) {
  replace(String.prototype, names, (run, name) => ({
    [name](...args) {
      const text = textOf(this);
      counted(ofText(text), each);
      return apply(run, text, args);
    },
  }));
}

/// What to look for; a pattern as it is, for it is refused.
const sought = (it) => (isObject(it) && it[Symbol.match] ? it : textOf(it));

/// The same of those that look at another text too: `work` is for the lengths of both.
function countTexts(work, names, other = textOf) {
  replace(String.prototype, names, (run, name) => ({
    [name](...args) {
      const text = textOf(this);
      args[0] = other(args[0]);
      work(ofText(text), ofText(args[0]));
      return apply(run, text, args);
    },
  }));
}

/// What it takes to find one text in another: at each place it may turn out late that it is not there.
const toFind = (length, other) => counted(length, 32 + other / 2);

/// The same of those that leave what they do to an object that says how, with whatever they are called on.
function countPatterns(each, names) {
  for (const [name, how] of names) {
    replace(String.prototype, [name], (run, name) => ({
      [name](...args) {
        const pattern = args[0];
        const leaves = isObject(pattern) && pattern[how] !== undefined && pattern[how] !== null;
        const text = leaves ? this : textOf(this);
        if (!leaves) args[0] = textOf(pattern);
        counted(ofText(text), each + ofText(args[0]) / 2);
        try {
          return apply(run, text, args);
        } catch (error) {
          throw lookedAt(error);
        }
      },
    }));
  }
}

function countWork() {
  const asked = ["includes", "indexOf", "lastIndexOf"]; // of what is no array, the interpreter counts them
  const all = ["fill", "reverse", "copyWithin"];
  const joined = ["join", "toLocaleString"];
  const sorted = ["sort", "toSorted"];
  count(Array.prototype, ofArray, 8, asked);
  count(Array.prototype, lengthOf, 8, [...joined, ...all, "shift", "unshift", "splice", "toSpliced", "toReversed", "with"]);
  count(Array.prototype, ofPart, 8, ["slice"]);
  count(Array.prototype, lengthOf, 512, sorted);
  count(Typed.prototype, ofTyped, 4, [...asked, ...all, "set"]);
  count(Typed.prototype, ofTyped, 32, joined);
  count(Typed.prototype, ofTyped, 16, ["slice"]);
  count(Typed.prototype, ofTyped, 512, sorted);
  countText(32, ["trim", "trimStart", "trimEnd", "isWellFormed", "toWellFormed"]);
  countText(64, ["normalize"]);
  countTexts(toFind, ["indexOf", "lastIndexOf"]);
  countTexts(toFind, ["includes"], sought);
  countTexts((length, other) => counted(min(length, other), 2), ["startsWith", "endsWith"], sought);
  countTexts((length, other) => counted(length + other, 32), ["localeCompare"]);
  countPatterns(64, [["search", Symbol.search], ["match", Symbol.match], ["matchAll", Symbol.matchAll], ["replace", Symbol.replace], ["replaceAll", Symbol.replace], ["split", Symbol.split]]);
  define(String.prototype, "trimLeft", String.prototype.trimStart);
  define(String.prototype, "trimRight", String.prototype.trimEnd);
  const { get: byteLength } = getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength");
  replace(ArrayBuffer.prototype, ["resize"], (run, name) => ({
    [name](length) {
      apply(byteLength, this, []); // throws where this is no buffer
      length = +length;
      counted(toLength(length), 1);
      return apply(run, this, [length]);
    },
  }));
  count(Uint8Array.prototype, (_, args) => ofText(args[0]), 4, ["setFromHex", "setFromBase64"]);
  count(Uint8Array, (_, args) => ofText(args[0]), 4, ["fromHex", "fromBase64"]);
  countMade(String.prototype, 1, ["repeat", "padStart", "padEnd", "toUpperCase", "toLowerCase", "toLocaleUpperCase", "toLocaleLowerCase"]);
  countMade(Array.prototype, 1, joined);
  count(Object, (_, args) => ofNames(args[1]), 512, ["create", "defineProperties"]);
  countMade(Object, 256, ["keys", "values"]);
  countMade(Object, 1024, ["entries"]);
  const { get: sizeOf } = getOwnPropertyDescriptor(Map.prototype, "size");
  replace(Map, ["groupBy"], (run, name) => ({
    [name](...args) {
      const made = apply(run, this, args);
      counted(apply(sizeOf, made, []), 1024);
      return made;
    },
  }));
  replace(JSON, ["parse"], (run, name) => ({
    [name](...args) {
      args[0] = textOf(args[0]);
      counted(ofText(args[0]), 64);
      return apply(run, undefined, args);
    },
  }));
  replace(JSON, ["stringify"], (run, name) => ({
    [name](value, replacer, space) {
      return isArray(replacer) ? picked(run, value, namesOf(replacer), space) : run(value, replacer, space);
    },
  }));
  countMade(JSON, 64, ["stringify"]);
}

/// The names that a list gives, each once.
function namesOf(list) {
  const [names, known] = [[], create(null)];
  each(list, (it) => {
    const isName = typeof it === "string" || typeof it === "number" || it instanceof String || it instanceof Number;
    const name = isName ? toText(it) : undefined;
    if (name === undefined || name in known) return;
    known[name] = true;
    push(names, name);
  });
  return names;
}

const { parse: parseJson } = JSON;

/// What a list of names leaves of a value's JSON: a replacer finds that out, a step for each name. An object that it makes
/// has names that are indices first, so the list's order is made of what is left.
function picked(run, value, names, space) {
  let inOrder = true;
  for (let at = 0; at < names.length; at++) if (names[at] === toText(names[at] >>> 0)) inOrder = false;
  if (inOrder) return run(value, picking(names), space);
  counted(names.length * names.length, 4); // which are looked for among each other
  const text = run(value, picking(names));
  return text === undefined ? undefined : run(parseJson(text), names, space);
}

function picking(names) {
  return (_, value) => {
    if (!isObject(value) || typeof value === "function" || isArray(value)) return value;
    if (value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt) return value;
    const picked = create(null);
    for (let at = 0; at < names.length; at++) {
      const it = value[names[at]];
      if (it !== undefined) picked[names[at]] = it;
    }
    return picked;
  };
}
