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
const ofTyped = (it) => (ArrayBuffer.isView(it) && !(it instanceof DataView) ? apply(typedLength, it, []) : 0);

/// The elements from one index to another, which may count from the end. An object there would be asked again: all, then.
function ofPart(it, [from, to]) {
  const length = lengthOf(it);
  const place = (index, otherwise) => {
    if (index === undefined) return otherwise;
    if (typeof index !== "number") return NaN;
    const at = trunc(index) || 0;
    return at < 0 ? Math.max(length + at, 0) : min(at, length);
  };
  const part = place(to, length) - place(from, 0);
  return part === part ? part : length;
}

function countWork() {
  const asked = ["includes", "indexOf", "lastIndexOf"]; // of what is no array, the interpreter counts them
  const all = ["join", "toLocaleString", "fill", "reverse", "copyWithin"];
  const sorted = ["sort", "toSorted"];
  count(Array.prototype, ofArray, 8, asked);
  count(Array.prototype, lengthOf, 8, [...all, "shift", "unshift", "splice", "toSpliced", "toReversed", "with"]);
  count(Array.prototype, ofPart, 8, ["slice"]);
  count(Array.prototype, lengthOf, 512, sorted);
  count(Typed.prototype, ofTyped, 4, [...asked, ...all, "set"]);
  count(Typed.prototype, ofTyped, 512, sorted);
  count(ArrayBuffer.prototype, (_, [length]) => toLength(typeof length === "number" ? length : 0), 1, ["resize"]);
  count(String.prototype, ofText, 32, ["includes", "indexOf", "lastIndexOf", "localeCompare", "trim", "trimStart", "trimEnd", "isWellFormed"]);
  count(String.prototype, ofText, 64, ["search", "match", "matchAll", "replace", "replaceAll", "split", "normalize"]);
  count(String.prototype, (it, [other]) => min(ofText(it), ofText(other)), 2, ["startsWith", "endsWith"]);
  count(Uint8Array.prototype, (_, [text]) => ofText(text), 4, ["setFromHex", "setFromBase64"]);
  countMade(String.prototype, 1, ["repeat", "padStart", "padEnd", "toUpperCase", "toLowerCase", "toLocaleUpperCase", "toLocaleLowerCase"]);
  countMade(Array.prototype, 1, ["join", "toLocaleString"]);
  countMade(Object, 256, ["keys", "values"]);
  countMade(Object, 1024, ["entries"]);
  replace(JSON, ["parse"], (run, name) => ({
    [name](text, ...more) {
      counted(ofText(text), 64);
      return run(text, ...more);
    },
  }));
  replace(JSON, ["stringify"], (run, name) => ({
    [name](value, replacer, ...space) {
      return run(value, isArray(replacer) ? picking(replacer) : replacer, ...space);
    },
  }));
  countMade(JSON, 64, ["stringify"]);
}

/// A replacer that does what a list of names does, a step for each.
function picking(list) {
  const [names, known] = [[], create(null)];
  each(list, (it) => {
    const isName = typeof it === "string" || typeof it === "number" || it instanceof String || it instanceof Number;
    const name = isName ? String(it) : undefined;
    if (name === undefined || name in known) return;
    known[name] = true;
    push(names, name);
  });
  const whole = (it) => !isObject(it) || typeof it === "function" || isArray(it) || [Number, String, Boolean, BigInt].some((kind) => it instanceof kind);
  return (_, value) => {
    if (whole(value)) return value;
    const picked = create(null);
    for (let at = 0; at < names.length; at++) {
      const it = value[names[at]];
      if (it !== undefined) picked[names[at]] = it;
    }
    return picked;
  };
}
