// ---- dates ------------------------------------------------------------------------------------------

const Native = Date;

const { getTime, toJSON: jsonOfDate } = Native.prototype;

function DateHere(...args) {
  if (new.target === undefined) return new DateHere().toString();
  if (args.length === 0) args = [host.now()];
  else if (args.length > 1) args = [Native.UTC(...args)];
  else if (!isDate(args[0])) args = [timeOf(toPrimitive(args[0]))];
  return construct(Native, args, new.target);
}

function isDate(value) {
  if (typeof value !== "object") return false;
  try {
    apply(getTime, value, []);
    return true;
  } catch {
    return false;
  }
}

/// Whether a value is a date of no time, whose JSON says null.
function isInvalid(value) {
  return value.toJSON === jsonOfDate && isDate(value) && isNaN(apply(getTime, value, []));
}

const timeOf = (value) => (typeof value === "string" ? parseDate(value) : value);

/// What the language makes of an object where a text and a number both will do.
function toPrimitive(value) {
  if (!isObject(value)) return value;
  const convert = value[Symbol.toPrimitive] ?? undefined;
  const ways = convert === undefined ? [value.valueOf, value.toString] : [convert];
  for (let at = 0; at < ways.length; at++) {
    if (typeof ways[at] !== "function") continue;
    const made = apply(ways[at], value, ["default"]);
    if (!isObject(made)) return made;
  }
  throw new TypeError("cannot convert object to primitive value");
}

/// What the native parser takes for the language's own format, and does take for it. Longer texts it cuts off.
const ISO = /^(?:\d{4}|\+\d{6}|-(?!000000)\d{6})(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?(T\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(Z|[+-]\d\d:?\d\d)?$/;

/// A date of three numbers, the year first or last.
const NUMBERS = /^(?:\d{4}([-/])(\d\d?)\1(\d\d?)|(\d\d?)([-/])(\d\d?)\5\d{4})(?!\d)/;

/// Whether a text names a month or a day that is none: the native parser takes some other of its numbers for that.
function isOfNoDay(text) {
  const found = apply(exec, NUMBERS, [text]);
  if (found === null) return false;
  const month = +(found[2] ?? found[4]);
  const day = +(found[3] ?? found[6]);
  return month < 1 || month > 12 || day < 1 || day > 31;
}

/// A time that names no zone is of UTC here, whatever the machine's zone is. In other formats a zone that the text names
/// comes after the one put before it, and so outweighs it; of a zone that is none the parser makes no date.
function parseDate(text) {
  text = toText(text);
  if (isOfNoDay(text)) return NaN;
  const iso = apply(exec, ISO, [text]);
  if (iso === null) return Native.parse(`GMT ${text}`);
  return Native.parse(iso[1] !== undefined && iso[2] === undefined ? `${text}Z` : text);
}

const { exec } = RegExp.prototype;

function setDate() {
  const prototype = Native.prototype;
  for (const name of getOwnPropertyNames(prototype)) {
    const utc = name.replace(/^(get|set)UTC/, "$1");
    if (utc !== name) define(prototype, utc, prototype[name]);
  }
  const shown = {
    getTimezoneOffset: () => 0,
    getYear() {
      return this.getUTCFullYear() - 1900;
    },
    setYear(year) {
      return this.setUTCFullYear(year >= 0 && year <= 99 ? 1900 + Math.trunc(year) : year);
    },
    toString() {
      if (Number.isNaN(this.getTime())) return "Invalid Date";
      return `${this.toDateString()} ${this.toTimeString()}`;
    },
    toDateString() {
      if (Number.isNaN(this.getTime())) return "Invalid Date";
      const [day, date, month, year] = this.toUTCString().replace(",", "").split(" ");
      return `${day} ${month} ${date} ${year}`;
    },
    toTimeString() {
      if (Number.isNaN(this.getTime())) return "Invalid Date";
      return `${this.toUTCString().split(" ")[4]} GMT+0000 (Coordinated Universal Time)`;
    },
    toLocaleString() {
      return this.toUTCString();
    },
    toLocaleDateString() {
      return this.toDateString();
    },
    toLocaleTimeString() {
      return this.toUTCString().split(" ")[4];
    },
  };
  for (const name of getOwnPropertyNames(shown)) define(prototype, name, shown[name]);
  defineProperty(DateHere, "name", { value: "Date" });
  defineProperty(DateHere, "length", { value: 7 });
  defineProperty(DateHere, "prototype", { value: prototype, writable: false });
  const { now, parse } = {
    now: () => host.now(),
    parse: (text) => parseDate(text),
  };
  define(DateHere, "now", now);
  define(DateHere, "parse", parse);
  define(DateHere, "UTC", Native.UTC);
  define(prototype, "constructor", DateHere);
  define(globalThis, "Date", DateHere);
}

