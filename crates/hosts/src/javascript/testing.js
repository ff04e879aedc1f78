// The module "ordain/test", which is the module "ordain" as well for scripts that test: what they import,
// and the context that each test gets. Runs once in each context, before the script; shared.js comes before
// it in the same text. `host` holds the functions that the host brings, and what it runs.

const host = globalThis.__host;
delete globalThis.__host;
globalThis.__ordain_caught = host.caught;
globalThis.__ordain_tagged = tagged;

// A script may import files of the module for what else they export: their entity types run elsewhere.
export const entity = (state, methods, options = {}) => ({ state, methods, options });
export const query = (run) => ({ run });

// ---- tests ----------------------------------------------------------------------------------------

const tests = [];

/// Notes a test, which runs later.
export function test(name, run) {
  if (typeof name !== "string" || typeof run !== "function") {
    throw new TypeError('test(name, run) takes a text and a function: test("a transfer moves money", (t) => { … })');
  }
  if (host.running) throw new TypeError(`\`${name}\` stands within a test; tests stand at the top level of their file`);
  tests.push({ name, run });
}

/// What is wrong, with what was to be and what is.
class AssertionError extends Error {
  constructor(message, compared) {
    super(message);
    this.name = "AssertionError";
    Object.assign(this, compared);
  }
}

export function assert(condition, message = "what is asserted does not hold") {
  if (!condition) throw new AssertionError(message);
}

export function assertEquals(actual, expected, message) {
  const at = difference(actual, expected, "");
  if (at === undefined) return;
  const where = at === "" ? "the values differ" : `the values differ at ${at}`;
  throw new AssertionError(message === undefined ? where : `${message}: ${where}`, {
    expected: shown(expected),
    actual: shown(actual),
  });
}

/// Where two values differ, as a path; undefined if they do not. Names that hold undefined are not there, and in
/// a list it is null, as in JSON; nor has JSON any prototypes.
function difference(actual, expected, path) {
  if (Object.is(actual, expected) || actual === expected) return undefined;
  if (!isObject(actual) || !isObject(expected) || kind(actual) !== kind(expected)) return path;
  if (actual instanceof Date) return difference(actual.getTime(), expected.getTime(), path);
  if (actual instanceof Map || actual instanceof Set) return difference([...actual], [...expected], path);
  const list = Array.isArray(actual);
  for (const key of new Set([...Object.keys(actual), ...Object.keys(expected)])) {
    const [is, isTo] = [actual, expected].map((it) => (list && key < it.length ? it[key] ?? null : it[key]));
    const at = difference(is, isTo, list ? `${path}[${key}]` : `${path}.${key}`);
    if (at !== undefined) return at;
  }
  return list && actual.length !== expected.length ? `${path}.length` : undefined;
}

/// What an object is, where it is more than its names say.
function kind(value) {
  if (value instanceof Error) return value.name;
  return [Array, Map, Set, Date].find((it) => value instanceof it);
}

function isObject(value) {
  return typeof value === "object" && value !== null;
}

const SHOWN_CHARS_MAX = 4000;

/// A value as JSON, or as close to it as it comes.
function shown(value) {
  const named = (_, it) => {
    if (typeof it === "bigint") return `${it}n`;
    if (typeof it === "number" && !Number.isFinite(it)) return String(it);
    return it instanceof Map || it instanceof Set ? [...it] : it;
  };
  const text = JSON.stringify(value, named) ?? String(value);
  return text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
}

// ---- the world ------------------------------------------------------------------------------------

/// What came of asking the world, by its first letter: a value, a rejection, or what is broken.
function answer(text) {
  const rest = text.slice(1);
  if (text[0] === "v") return JSON.parse(rest);
  if (text[0] === "r") throw new Rejection(...JSON.parse(rest));
  throw new Error(rest);
}

function ask(how, type, key, method, args = {}, delay = 0) {
  for (const [what, it] of Object.entries({ "type": type, "key": key, "method": method })) {
    if (typeof it !== "string") {
      throw new TypeError(`t.${how}(type, key, method, args) takes texts; the ${what} is ${shown(it)}`);
    }
  }
  const exact = (name, it) => {
    if (typeof it === "number" && !Number.isFinite(it)) throw new TypeError(`the argument \`${name}\` is ${it}, which JSON cannot hold`);
    return it;
  };
  const json = JSON.stringify(args, exact);
  if (json === undefined) throw new TypeError(`the arguments are ${typeof args}, which JSON cannot hold`);
  return answer(host.ask(how, type, key, method, json, delay));
}

const t = {
  call: (type, key, method, args) => ask("call", type, key, method, args),
  query: (type, key, method, args) => ask("query", type, key, method, args),
  send(type, key, method, args, { delay, ...others } = {}) {
    const [other] = Object.keys(others);
    if (other !== undefined) throw new TypeError(`t.send(…) has no option \`${other}\`; it has delay`);
    return ask("send", type, key, method, args, milliseconds(delay));
  },
  advance(time) {
    if (time === undefined) throw new TypeError('t.advance(time) takes milliseconds or a text: t.advance("1h")');
    answer(host.advance(milliseconds(time)));
  },
  state: (entity) => answer(host.state(String(entity))),
  now: () => host.now(),
  log: (...values) => host.log(words(values)),
  expectRejection(code, run) {
    if (typeof run !== "function") {
      throw new TypeError('t.expectRejection(code, run) takes a function: t.expectRejection("in_use", () => t.call(…))');
    }
    let value;
    try {
      value = run();
    } catch (thrown) {
      if (!(thrown instanceof Rejection)) throw thrown;
      if (thrown.code === code) return thrown;
      const actual = `${thrown.code}: ${thrown.message}`;
      throw new AssertionError("it was rejected with another code", { expected: String(code), actual });
    }
    if (value instanceof Promise) throw new TypeError("leave out `async`: t.call(…) and t.query(…) give their values at once");
    throw new AssertionError("it was not rejected", { expected: String(code), actual: `the value ${shown(value)}` });
  },
};
Object.freeze(t);

globalThis.console = Object.fromEntries(["log", "info", "warn", "error", "debug"].map((name) => [name, t.log]));

host.names = () => tests.map(({ name }) => name);
host.run = (at) => tests[at].run(t);
