// ---- dates ------------------------------------------------------------------------------------------

const Native = Date;

function DateHere(...args) {
  if (new.target === undefined) return new DateHere().toString();
  if (args.length === 0) args = [host.now()];
  else if (args.length > 1) args = [Native.UTC(...args)];
  else if (typeof args[0] === "string") args = [parseDate(args[0])];
  return construct(Native, args, new.target);
}

/// A time that names no zone is of UTC here, whatever the machine's zone is.
function parseDate(text) {
  text = String(text);
  if (/(?:z|gmt|utc|[+-]\d\d:?\d\d)\s*(?:\(.*\))?\s*$/i.test(text)) return Native.parse(text);
  const iso = /^\s*[+-]?\d{4,6}-\d\d-\d\d[t ]\d\d/i.test(text);
  return iso ? Native.parse(`${text}Z`) : Native.parse(`${text} GMT`);
}

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
  define(DateHere, "now", () => host.now());
  define(DateHere, "parse", parseDate);
  define(DateHere, "UTC", Native.UTC);
  define(prototype, "constructor", DateHere);
  define(globalThis, "Date", DateHere);
}

