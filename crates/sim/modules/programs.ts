// The language of simulated methods (`program.rs`) once more, as a module has it: what an operation does by
// way of `cx`, and nothing of who runs it. Entity types are made of this by files that `modules.rs` writes.

import { type AnyEntity, type Context, type QueryContext, Rejection, reject } from "ordain";

/// The root value, and its padding beside it.
export type Root = [{ number: number; notes: number; pad: number }, string];
export const initial: Root = [{ number: 0, notes: 0, pad: 0 }, ""];

type Source = "Now" | "Random" | "Uuid" | "Seq" | "Caller" | "Entity";
type Edge = "Open" | { At: string } | { Past: string };
type With = "Nonsense" | "TooMuch" | { Program: { ops: Op[] } };
type Invoke = { entity: { ty: string; key: string }; method: string; with: With };
/// The name of an operation and what belongs to it; what has nothing is the name alone.
export type Op = string | { [name: string]: any };

/// What a release says of itself: its number, and the entity types of the same module, which are called as such;
/// others are called by name.
export type Own = { release: number; types: { [type: string]: AnyEntity } };

type Cx = Context<Root>;
type Does = (cx: Cx, of: any, seen: unknown[], own: Own) => void;

const ARGUMENT_BYTES_MAX = 1 << 20;

const operations: { [name: string]: Does } = {
  Read(cx, _, seen, { release }) {
    const [{ number, notes, pad }] = cx.state;
    seen.push([number, notes, pad, release]);
  },
  Add(cx, more: number) {
    cx.state[0].number = (cx.state[0].number + more) | 0;
  },
  Pad(cx, length: number) {
    cx.state[0].pad = length;
    cx.state[1] = " ".repeat(length);
  },
  Note(cx, { source, keep }: { source: Source; keep: boolean }, seen) {
    const fact = facts[source](cx);
    if (keep) {
      const root = cx.state[0];
      for (const char of fact) root.notes = (Math.imul(root.notes, 31) + char.codePointAt(0)!) >>> 0;
    }
    seen.push(fact);
  },
  Get(cx, field: string, seen) {
    const value = cx.field(field).get();
    seen.push(value === undefined ? null : JSON.stringify(value));
  },
  Put(cx, [field, length]: [string, number]) {
    cx.field(field).put("v".repeat(length));
  },
  Delete(cx, field: string) {
    cx.field(field).delete();
  },
  Fill(cx, { fields, bytes }: { fields: number; bytes: number }) {
    for (let at = 0; at < fields; at++) cx.field(`fill/${at}`).put("v".repeat(bytes));
  },
  Clear(cx, { first, fields }: { first: number; fields: number }) {
    for (let at = first; at < first + fields; at++) cx.field(`fill/${at}`).delete();
  },
  Scan(cx, { from, to, reverse, limit }: { from: Edge; to: Edge; reverse: boolean; limit: number }, seen) {
    const rows = cx.scan({ from: edge(from, "Past"), to: edge(to, "At"), reverse, limit });
    seen.push(rows.map(([name, value]) => [name, JSON.stringify(value)]));
  },
  Call(cx, { call, or }: { call: Invoke; or: "Pass" | "Catch" | "Shield" }, seen, own) {
    try {
      seen.push(invoke(cx, call, own));
    } catch (thrown) {
      if (or === "Pass") throw thrown;
      seen.push(thrown instanceof Rejection ? told(thrown) : "nothing happened");
    }
  },
  CallMany(cx, { times, call }: { times: number; call: Invoke }, _, own) {
    for (let time = 0; time < times; time++) invoke(cx, call, own);
  },
  Dive(cx, { levels, ops }: { levels: number; ops: Op[] }, seen, own) {
    const program = { ops: levels === 0 ? ops : [{ Dive: { levels: levels - 1, ops } }] };
    const [entity, key] = split(cx.id);
    const value = invoke(cx, { entity: { ty: entity, key }, method: "run", with: { Program: program } }, own);
    seen.push(levels === 0 ? value : (value as unknown[])[0]);
  },
  Send(cx, { call, delay_ms, times }: { call: Invoke; delay_ms: number; times: number }, seen, own) {
    for (let time = 0; time < times; time++) {
      const sends: any = cx.send(whom(call, own), call.entity.key, { delay: delay_ms });
      seen.push(sends[call.method](argument(call.with)));
    }
  },
  Reject(_, { code, message, details }: { code: string; message: number; details: number | null }) {
    reject(code, "ü".repeat(message), details === null ? undefined : "v".repeat(details));
  },
  Panic(_, text: string) {
    throw new Error(text);
  },
  Say(_, length: number, seen) {
    seen.push("s".repeat(length));
  },
  Hoard(_, mebibytes: number) {
    "x".repeat(1 << 20).repeat(mebibytes);
  },
  Sink() {
    sink(0);
  },
  Spin() {
    for (;;);
  },
};

const facts: { [source in Source]: (cx: QueryContext<Root>) => string } = {
  Now: (cx) => String(cx.now()),
  Random: (cx) => String(cx.random() * 2 ** 53),
  Uuid: (cx) => cx.uuid().replaceAll("-", ""),
  Seq: (cx) => String(cx.seq),
  Caller: (cx) => cx.caller,
  Entity: (cx) => cx.id,
};

/// A bound of a scan, which holds its key if it is the first and does not if it is the last: `next` names the
/// edge that begins, or ends, just behind its key.
function edge(edge: Edge, next: "At" | "Past"): string | undefined {
  if (typeof edge === "string") return undefined;
  const [[kind, key]] = Object.entries(edge);
  return kind === next ? `${key}\0` : key;
}

function split(id: string): [string, string] {
  const at = id.indexOf("/");
  return [id.slice(0, at), id.slice(at + 1)];
}

function argument(it: With): object {
  if (it === "Nonsense") return { opz: 7 };
  if (it === "TooMuch") return { ops: " ".repeat(ARGUMENT_BYTES_MAX) };
  return (it as { Program: object }).Program;
}

/// An entity type of this module as such, where it has the method, and any other by its name.
function whom({ entity, method }: Invoke, { types }: Own): any {
  return entity.ty in types && method in types[entity.ty].methods ? types[entity.ty] : entity.ty;
}

function invoke(cx: Cx, call: Invoke, own: Own): unknown {
  const calls: any = cx.call(whom(call, own), call.entity.key);
  return calls[call.method](argument(call.with));
}

/// What a rejection says, but for its length, in the order of the names.
function told({ code, message, details }: Rejection): object {
  return { code, details: details === undefined ? null : JSON.stringify(details).length, message: message.length };
}

function sink(depth: number): number {
  return 1 + sink(depth + 1);
}

/// Runs a program. Its value is the list of all that its operations saw.
export function program(cx: QueryContext<Root>, ops: Op[], own: Own): unknown[] {
  const seen: unknown[] = [];
  for (const op of ops) {
    const name = typeof op === "string" ? op : Object.keys(op)[0];
    operations[name](cx as Cx, typeof op === "string" ? undefined : op[name], seen, own);
  }
  return seen;
}

/// Another shape of the state: the number shows which it came from.
export function migrate(state: Root, from: number): Root {
  state[0].number = (state[0].number + from) | 0;
  return state;
}
