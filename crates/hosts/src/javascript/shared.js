// What the modules "ordain" and "ordain/test" both have.

/// A business "no". Thrown by `reject`, and by a call whose method was rejected.
export class Rejection extends Error {
  constructor(code, message, details) {
    super(message === undefined ? "" : String(message));
    this.name = "Rejection";
    this.code = String(code);
    this.details = details;
  }
}

export function reject(code, message, details) {
  throw new Rejection(code, message, details);
}

const UNITS = { ms: 1, s: 1000, m: 60000, h: 3600000, d: 86400000 };

/// Milliseconds, from a number of them or a text such as "90s", "1.5h", "7d".
function milliseconds(delay) {
  if (delay === undefined) return 0;
  if (typeof delay === "number" && delay >= 0) return Math.ceil(delay);
  const parts = typeof delay === "string" ? /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(delay) : null;
  if (parts === null) {
    throw new TypeError(`a delay is a number of milliseconds or a text like "90s", "1.5h", "7d", not ${String(delay)}`);
  }
  return Math.ceil(Number(parts[1]) * UNITS[parts[2]]);
}

/// Values as people read them, in a line.
function words(values) {
  return values.map((value) => (typeof value === "string" ? value : show(value))).join(" ");
}

function show(value) {
  if (value instanceof Error) return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch (error) {
    globalThis.__ordain_caught?.(error);
    return String(value);
  }
}

/// What a tag is called with: strings of its own, and the values.
function tagged(strings, ...values) {
  // By their indices: an iterator of the module's would get hold of the interpreter's own strings.
  const [copy, raw] = [[], []];
  for (let at = 0; at < strings.length; at++) {
    copy[at] = strings[at];
    raw[at] = strings.raw[at];
  }
  Object.defineProperty(copy, "raw", { value: Object.freeze(raw) });
  return [Object.freeze(copy), ...values];
}

// The interpreter makes these where they are first looked at, and forgets what it took for them where it finds no memory for
// the rest: what it forgets ends the process. So they are made here, where little was taken.
void [Array.fromAsync, Iterator.zip, Iterator.zipKeyed];
