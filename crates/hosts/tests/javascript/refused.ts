// What a module can have the interpreter do, in small: refused.rs runs each of these with memory refused at each place.

import { entity, query, reject } from "ordain";

const programs: Record<string, (cx: any) => unknown> = {
  objects() {
    const o = {}; for (let i = 0; i < 40; i++) o["k" + i] = { i }; delete o.k3; return Object.keys(o).length;
  },
  object_spread() {
    const a = { x: 1, y: { z: 2 }, ...{ q: 3 } }; const { x, ...rest } = a; return { ...rest, x };
  },
  object_static() {
    return [Object.entries({ a: 1, b: 2 }), Object.assign({}, { c: 1 }, { d: 2 }),
    Object.getOwnPropertyDescriptors({ get a() { return 1; }, b: 2 }), Object.groupBy([1, 2, 3],
    (it) => it % 2 ? "odd" : "even")];
  },
  from_entries() {
    return Object.fromEntries([["a", 1], ["b", 2]]);
  },
  define() {
    const o = Object.defineProperty({}, "x", { get() { return 1; }, set(v) {}, configurable: true });
    Object.defineProperty(o, "x", { value: 2 }); Object.defineProperties(o, { y: { value: 1 }, z: { get: () => 2 }
    }); return o.x + o.y + o.z;
  },
  freeze() {
    const o = Object.freeze({ a: [1], b: 2 }); const s = Object.seal({ a: 1 }); return [Object.isFrozen(o),
    Object.isSealed(s), Object.isExtensible(o)];
  },
  proto() {
    class A { m() { return 1; } } const o = Object.create(A.prototype, { x: { value: 1 } });
    Object.setPrototypeOf(o, { y: 2 }); const p = { __proto__: o, z: 1 }; return p.y + p.x;
  },
  accessors() {
    const o = { n: 1, get v() { return this.n; }, set v(x) { this.n = x; }, ["c" + 1]() { return 2; } }; o.v = 5;
    return o.v + o.c1();
  },
  dictionary() {
    const o = {}; for (let i = 0; i < 30; i++) o["k" + i] = i; for (let i = 0; i < 30; i += 2) delete o["k" + i];
    for (let i = 0; i < 30; i++) o["j" + i] = i; return JSON.stringify(o).length;
  },
  indices() {
    const o = { 5: 1, 1: 2, a: 3 }; o[4294967294] = 1; o[2 ** 40] = 2; return Object.keys(o).join();
  },
  array_grow() {
    const a = []; for (let i = 0; i < 200; i++) a.push(i); return a.length;
  },
  array_index() {
    const a = []; for (let i = 0; i < 100; i++) a[i] = [i]; return a.length;
  },
  array_literal() {
    return [1, "2", [3, [4]], { a: [5] }, ...[6, 7], , 8].length;
  },
  array_unshift() {
    const a = [1, 2, 3]; for (let i = 0; i < 20; i++) { a.unshift(i); a.splice(2, 1, i, i); } return a.length;
  },
  array_slow() {
    const a = [1, 2, 3]; a[100000] = 1; a.x = 2; a.length = 5; delete a[1]; return [a.length, a.indexOf(3),
    Object.keys(a).join()];
  },
  array_methods() {
    const a = [5, 3, 9, 1]; return [a.map((x) => x * 2), a.filter((x) => x > 2), a.reduce((x, y) => x + y),
    a.slice(1, 3), a.concat([1], 2), a.flat(), a.flatMap((x) => [x, x]), a.reverse(), a.join("-"),
    a.find((x) => x > 4), a.findLast((x) => x < 4), a.some((x) => x > 1), a.every((x) => x > 1), a.includes(3),
    a.indexOf(9), a.at(-1), a.copyWithin(0, 1), a.fill(1)];
  },
  array_copies() {
    const a = [5, 3, 9, 1]; return [a.toSorted(), a.toReversed(), a.toSpliced(1, 1, 7), a.with(0, 1),
    [...a.entries()], [...a.keys()], Array.from(a, (x) => x + 1), Array.of(1, 2), Array.from({ length: 3 }, (_,
    i) => i)];
  },
  sort() {
    const a = []; for (let i = 0; i < 60; i++) a.push("x" + (i * 7919 % 61)); a.sort(); a.sort((p,
    q) => (p < q ? 1 : -1)); return [10, 9, 1, undefined, , 3].sort().length + a.length;
  },
  sort_objects() {
    const a = [{ k: 2 }, { k: 1 }, { k: 3 }]; a.sort((x, y) => x.k - y.k); return a.map((x) => x.k).join();
  },
  array_big() {
    const a = new Array(1000).fill(0).map((_, i) => i); const b = a.concat(a, a); return b.slice(500).length;
  },
  destructure() {
    const [a, [b = 2, ...c], { d, e: { f } = { f: 1 } }] = [1, [undefined, 3, 4], { d: 5 }]; let x = 1, y = 2; [x,
    y] = [y, x]; return [a, b, c, d, f, x, y];
  },
  args() {
    function f() { arguments[0] = 5; return [...arguments, arguments.length]; } function g(a, b = a + 1,
    ...c) { return [a, b, c]; } return [f(1, 2), g(1), g(1, 2, 3, 4), Math.max(...[1, 2, 3]), f.apply(null, [1, 2]),
    g.call(null, 1)];
  },
  typed() {
    const t = new Uint8Array([1, 2, 3]); const f = new Float64Array(10); f.set([1, 2], 3);
    const d = new DataView(new ArrayBuffer(16)); d.setFloat64(0, 1.5); return [t.map((x) => x * 2).join(),
    f.subarray(2, 5).length, d.getInt16(0), Array.from(t), t.slice(1).length, [...t.entries()].length,
    new Uint16Array(t).toSorted().join(), new BigInt64Array(2).fill(3n).join(), t.toHex(), t.toBase64(),
    Uint8Array.fromHex("0102").length];
  },
  typed_sort() {
    const t = new Float64Array(50); for (let i = 0; i < 50; i++) t[i] = (i * 31) % 50; t.sort(); t.sort((a,
    b) => b - a); return t[0];
  },
  typed_from() {
    return [Uint8Array.from([1, 2, 3], (x) => x + 1).length, Int32Array.from(new Set([1, 2])).length,
    Uint8Array.of(1, 2).length, new Float32Array({ length: 3, 0: 1 }).length];
  },
  buffer() {
    const b = new ArrayBuffer(8, { maxByteLength: 64 }); const t = new Uint8Array(b); b.resize(32);
    const c = b.slice(4); const e = b.transfer(16); return [t.length, c.byteLength, e.byteLength, structured()];
    function structured() { return ArrayBuffer.isView(t); }
  },
  buffer_large() {
    return new ArrayBuffer(100000).byteLength + new Uint8Array(5000).fill(1).length;
  },
  map() {
    const m = new Map(); for (let i = 0; i < 100; i++) m.set(i, { i }); for (let i = 0; i < 50; i++) m.delete(i);
    const g = Map.groupBy([1, 2, 3], (x) => x % 2); return [m.size, [...m].length, [...m.keys()].length, g.size,
    new Map(m).size];
  },
  set() {
    const s = new Set(); for (let i = 0; i < 100; i++) s.add("k" + i); const t = new Set(["k1", "x"]);
    return [s.size, s.union(t).size, s.intersection(t).size, s.difference(t).size, s.symmetricDifference(t).size,
    s.isSupersetOf(t), t.isSubsetOf(s), s.isDisjointFrom(t), [...s.values()].length];
  },
  weak() {
    const w = new WeakMap(), s = new WeakSet(), all = []; for (let i = 0; i < 40; i++) { const k = { i };
    all.push(k); w.set(k, { v: i }); s.add(k); } w.delete(all[1]); return w.get(all[3]).v;
  },
  map_iterate() {
    const m = new Map([[1, 2], [3, 4]]); let n = 0; for (const [k, v] of m) { if (n < 20) m.set(10 + n++, n);
    n += v; } m.forEach((v, k) => { n += k; if (k === 1) m.delete(k); }); return n;
  },
  map_insert() {
    const m = new Map(); return [m.getOrInsert?.(1, 2), m.getOrInsertComputed?.(2, () => ({})), m.size];
  },
  reflect() {
    const o = { a: 1, get b() { return this.c; } }; return [Reflect.ownKeys(o), Reflect.get(o, "b", { c: 3 }),
    Reflect.set(o, "z", 1), Reflect.has(o, "a"), Reflect.defineProperty(o, "y", { value: 1 }),
    Reflect.construct(Array, [3]).length, Reflect.apply(Math.max, null, [1, 2]), Reflect.getOwnPropertyDescriptor(o,
    "a"), Reflect.deleteProperty(o, "a")];
  },
  generator() {
    function* g(n) { try { for (let i = 0; i < n; i++) { const x = yield i; if (x) yield* [x, x]; } }
    finally { yield "end"; } } const it = g(5); it.next(); it.next(7); it.return(1); return [[...g(3)], it.next(),
    Array.from(g(2)), (() => { try { g(1).throw(new Error("x")); } catch (e) { return e.message; } })()];
  },
  iterators() {
    function* g() { yield 1; yield 2; yield 3; } return [g().map((x) => x * 2).toArray(),
    g().filter((x) => x > 1).take(1).toArray(), g().drop(1).reduce((a, b) => a + b), g().flatMap((x) => [x,
    x]).toArray(), g().some((x) => x > 2), g().every((x) => x > 0), g().find((x) => x == 2),
    Iterator.from({ next() { return { done: true }; } }).toArray(), [...g().take(2)]];
  },
  iterator_zip() {
    return [Iterator.concat?.([1], [2]).toArray(), Iterator.zip?.([[1, 2], [3, 4]]).toArray(),
    Iterator.zipKeyed?.({ a: [1], b: [2] }).toArray()];
  },
  iterator_own() {
    const it = { i: 0, [Symbol.iterator]() { return this; }, next() { return { value: this.i++, done: this.i > 5 };
    }, return() { return {}; } }; const [a, b] = it; let n = 0; for (const x of it) { if (x > 3) break; n += x; }
    return [a, b, n, ...it];
  },
  classes() {
    class A { #p = 1; static s = 2; x = [1]; get p() { return this.#p; } set p(v) { this.#p = v; }
    #m() { return this.#p; } m() { return this.#m(); } static t() { return 3; } static { this.z = 5; }
    has(o) { return #p in o; } } class B extends A { constructor() { super(); this.y = super.m(); }
    m() { return super.m() + 1; } get [Symbol.toStringTag]() { return "B"; } } const b = new B(); b.p = 4;
    return [b.m(), b.y, A.t(), A.z, b.has(b), String(b), b instanceof A, new.target];
  },
  class_builtin() {
    class L extends Array { sum() { return this.reduce((a, b) => a + b, 0); } } class M extends Map {}
    class E extends Error { constructor(m) { super(m); this.code = 1; } } const l = L.from([1, 2,
    3]).map((x) => x + 1); return [l.sum(), l instanceof L, new M([[1, 2]]).size, new E("x").message,
    new (class extends Uint8Array {})(4).length];
  },
  class_many() {
    const all = []; for (let i = 0; i < 5; i++) all.push(class { f = i; #g = i; h = () => this.#g;
    static m() { return i; } }); return all.map((C) => new C().h()).join();
  },
  regexp() {
    return ["2024-01-05".match(/(\d+)-(?<m>\d+)-(\d+)/).groups.m, "aXbX".replace(/x/gi, (m) => m + "!"),
    [..."a1b2".matchAll(/[a-z](\d)/g)].map((m) => m[1]).join(), "a,b;c".split(/[,;]/),
    /^(?:a|b)+?(?=c)/.exec("abc").index, "x".replace(/(x)/, "$1$&$$"), /\p{Lu}/u.test("É"), /a.c/s.test("a\nc"),
    /(?<=a)b/d.exec("ab").indices[0].join(), "aBc".search(/[A-Z]/), /[\p{L}--[a-z]]/v.test("a"),
    RegExp.escape?.("a.b")];
  },
  regexp_long() {
    const s = "ab".repeat(500); return [s.replace(/a/g, "cc").length, s.match(/b/g).length, s.split("").length,
    /^(a|b)*$/.test(s), new RegExp("x{1,20}y|" + "z".repeat(50)).source.length, s.replaceAll("ab", "c").length];
  },
  regexp_backtrack() {
    return /^(a+)+$/.test("a".repeat(12) + "b") || /(?:(a)|b|(c))*?d/.exec("abcabcd").length + new RegExp("[" + "a-cx-z" + "]+",
    "gi").exec("AXz")[0].length;
  },
  regexp_symbol() {
    const r = { [Symbol.replace]: (s, t) => s + t, [Symbol.split]: (s) => [s], [Symbol.match]: (s) => [s] };
    class R extends RegExp { exec(s) { return super.exec(s); } } const q = new R("a", "g"); return ["x".replace(r,
    "y"), "x".split(r), "x".match(r), "banana".replace(q, "o"), [..."banana".matchAll(q)].length,
    "a-b".split(new R("-")), q.flags, String(q)];
  },
  regexp_errors() {
    const out = []; for (const s of ["(", "[", "a**", "(?<n>a)(?<n>b)", "\\", "(?<=", "[z-a]", "{1",
    "(?:"]) try { new RegExp(s, "u"); } catch (e) { out.push(e.message); } return out.length;
  },
  strings() {
    const s = "hello world"; return [s.toUpperCase(), s.padStart(20, "ab"), s.padEnd(20), s.repeat(3), s.slice(2,
    5), s.substring(1, 3), s.split(" "), s.indexOf("o"), s.lastIndexOf("o"), s.at(-1), s.charAt(1),
    s.codePointAt(0), s.concat("!", 1), s.trim(), s.startsWith("he"), s.endsWith("ld"), s.includes("lo"),
    s.replaceAll("o", "0"), s.replace("l", (x) => x + x), [...s].length, s.anchor("x"), String.fromCharCode(65,
    0x100), String.fromCodePoint(0x1f600), String.raw`a\n${1}`];
  },
  unicode() {
    const s = "Ünïcödé \u{1F600} ﬃ ß"; return [s.normalize("NFD").length, s.normalize("NFKC"), s.toLowerCase(),
    s.toUpperCase(), s.localeCompare("u"), [...s].length, s.isWellFormed(), s.toWellFormed(), s.split("").length,
    encodeURIComponent(s), decodeURIComponent("%C3%9C"), encodeURI(s), escape(s), unescape("%u0041%41"),
    "\ud800".toWellFormed()];
  },
  concat() {
    let s = ""; for (let i = 0; i < 300; i++) s += "item " + i + ";"; return s.length;
  },
  concat_wide() {
    let s = "é"; for (let i = 0; i < 100; i++) s = s + i + "ü\u{1F600}"; return s.length + s.indexOf("99");
  },
  rope() {
    let s = ""; for (let i = 0; i < 40; i++) s = s + "x".repeat(300) + s.slice(0, 9); let t = "y" + s;
    return [t.length, t[500], t === s, t < s, JSON.stringify(t).length, { [t]: 1 }[t]];
  },
  template() {
    const x = { toString: () => "obj" }; const t = (s, ...v) => s.raw.join("|") + v.join(); return `a${1}b${x}c${[1,
    2]}${`n${2}`}` + t`p${1}q${2}\n`;
  },
  symbols() {
    const s = Symbol("d"), o = { [s]: 1, [Symbol.toPrimitive]: (h) => (h === "number" ? 5 : "p") };
    return [s.description, s.toString(), Symbol.for("k") === Symbol.for("k"), Symbol.keyFor(Symbol.for("k")), +o,
    `${o}`, Object.getOwnPropertySymbols(o).length];
  },
  numbers() {
    return [(1234.5678).toFixed(2), (255).toString(16), (0.1).toString(2), (1e21).toString(),
    (1.5).toExponential(3), (123.456).toPrecision(4), parseFloat("3.14abc"), parseInt("ff", 16), Number("0x10"),
    (25).toString(36), 1 / 3, -1e-7, Number.MAX_VALUE.toString(7), (12345.678).toLocaleString()];
  },
  bigint() {
    let f = 1n; for (let i = 1n; i < 60n; i++) f *= i; return [f.toString(), String(f / 12345678901234567890n),
    String(f % 1000007n), String(-f >> 5n), String(f << 70n), String(2n ** 200n),
    BigInt("0x1fffffffffffffffff").toString(36), String(BigInt.asUintN(64, -1n)), String(BigInt.asIntN(8, 255n)),
    String(f & 0xffffffffffffffffffn), String(f | 1n), String(~f), String(f ^ f), f > 5n, f == 5, Number(f),
    String(BigInt(2 ** 80))];
  },
  bigint_errors() {
    const out = []; for (const f of [() => 1n / 0n, () => 2n ** -1n, () => BigInt(1.5), () => BigInt("z"),
    () => 1n + 1]) try { f(); } catch (e) { out.push(e.name); } return out.join();
  },
  dates() {
    const d = new Date(86400000 * 365.25 * 30 + 123); return [d.toISOString(), d.toString(), d.toJSON(),
    Date.UTC(2024, 1, 30), new Date("2024-05-01T10:00:00Z").getTime(), new Date(2024, 0, 1).getDay(),
    d.toLocaleDateString(), d.toUTCString(), Date.parse("Mon, 01 Jan 2024 00:00:00 GMT"), d.setMonth(5),
    String(new Date(NaN))];
  },
  json_parse() {
    return JSON.parse('{"a":[1,2,{"b":null,"c":"x\\u00e9\\n"}],"d":-1.5e3,"e":true,"f":{},"10":1}', (k,
    v) => (typeof v === "number" ? v + 1 : v));
  },
  json_large() {
    const a = []; for (let i = 0; i < 50; i++) a.push({ id: i, name: "n" + i, tags: ["x", "é"], sub: { v: i / 3 }
    }); return JSON.parse(JSON.stringify(a)).length;
  },
  json_stringify() {
    const o = { a: [1, "x\"\u2028\ud800", null, undefined, () => 1], b: { toJSON() { return { z: 1 }; } },
    c: new Date(0), d: Object(1), e: Object("s"), get f() { return 5; }, g: -0, [Symbol("x")]: 1 };
    return [JSON.stringify(o, null, 2), JSON.stringify(o, ["a", "b"]), JSON.stringify(o, (k, v) => (k === "a" ? [v,
    v] : v)), JSON.stringify([new Map(), new Set([1]), NaN]), JSON.stringify("é")];
  },
  json_cycle() {
    const o = {}; o.o = [{ o }]; try { JSON.stringify(o); } catch (e) { return e.message; }
  },
  json_errors() {
    const out = []; for (const s of ["{", "[1,]", "{\"a\":}", "\"x", "tru", "01", "[1 2]", "\"\\x\"", "{\"a\":1,}",
    "nul"]) try { JSON.parse(s); } catch (e) { out.push(e.message + e.stack); } return out.length;
  },
  errors() {
    const out = []; try { null.x; } catch (e) { out.push(e.message, e.stack); } try { undefinedName; }
    catch (e) { out.push(e.name); } try { (void 0)(); } catch (e) { out.push(e.message); }
    try { throw new Error("a", { cause: new TypeError("b") }); } catch (e) { out.push(e.cause.message, String(e)); }
    try { throw new AggregateError([1, 2], "m"); } catch (e) { out.push(e.errors.length); }
    try { [].reduce((a) => a); } catch (e) { out.push(e.message); } try { ({}).x.y.z; }
    catch (e) { out.push(e.message); } try { const c = 1; c = 2; } catch (e) { out.push(e.message); }
    try { Object.freeze([1]).push(2); } catch (e) { out.push(e.message); } return out;
  },
  error_deep() {
    function f(n) { if (n === 0) throw new RangeError("deep " + n); try { f(n - 1); } finally { n++; } }
    try { f(20); } catch (e) { return e.stack.length + e.message; }
  },
  error_finally() {
    function f() { try { throw new Error("a"); } catch (e) { try { throw e; } finally { return "r"; } } }
    const g = () => { for (const x of [1, 2]) { try { continue; } finally { if (x === 2) break; } } }; g();
    return f();
  },
  closures() {
    const fs = []; for (let i = 0; i < 20; i++) { let j = i * 2; fs.push(() => { j++; return i + j; },
    function () { return fs.length; }); } return fs.map((f) => f()).reduce((a, b) => a + b);
  },
  bind() {
    const f = function (a, b) { return [this.x, a, b]; }.bind({ x: 1 }, 2); const g = f.bind(null, 3); return [f(3),
    g(), f.name, f.length, new ((class { constructor(a) { this.a = a; } }).bind(null, 5))()];
  },
  recursion() {
    const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2)); const deep = (n) => (n ? [deep(n - 1)] : []);
    return [fib(10), JSON.stringify(deep(30)).length];
  },
  labels() {
    let n = 0; outer: for (let i = 0; i < 5; i++) { inner: for (const j of [1, 2,
    3]) { switch (j) { case 2: continue outer; case 3: break outer; default: n += j; } } } for (const k in { a: 1,
    b: 2, __proto__: { c: 3 } }) n += k.length; do { n++; } while (n < 20); a: { if (n) break a; n = 0; } return n;
  },
  optional() {
    const o = { a: { b: null, f: () => 3 } }; let x = null; x ??= 5; x ||= 6; x &&= [x]; return [o?.a?.b?.c,
    o.z?.(), o.a.f?.(), x, o.a.b ?? "d", delete o?.a?.b];
  },
  globals() {
    return [globalThis.undefinedThing, typeof structuredClone, typeof queueMicrotask,
    Object.getOwnPropertyNames(globalThis).length, isNaN("x"), Math.hypot(3, 4), Math.sumPrecise?.([0.1, 0.2]),
    Math.random() < 2];
  },
  function_text() {
    return [(function f(a, b) { return a + b; }).toString().length, (() => 1).name, (class Q { static m() {}
    }).toString().length, Object.getOwnPropertyNames(function () {}).join()];
  },
  lazy() {
    return [Object.getOwnPropertyDescriptor(Array.prototype, "map").value.name,
    Array.prototype.values === Array.prototype[Symbol.iterator], Math.PI, Reflect.ownKeys(Math).length,
    "".at.length, Map.prototype.get.name, Object.getOwnPropertyDescriptor(RegExp.prototype, "flags").get.name,
    Iterator.prototype.map.length, BigInt.asIntN.name, JSON[Symbol.toStringTag], Intl0()];
    function Intl0() { return typeof Intl; }
  },
  string_object() {
    const s = new String("héllo"); s.x = 1; return [Object.keys(s).join(), s[1], s.length, { ...s },
    Object.getOwnPropertyNames("ab").join(), new Number(5) + 1, Object(1n) + 1n,
    Object(Symbol.iterator).toString()];
  },
  property_loop() {
    let n = 0; const base = { a: 1, b: 2 }; for (let i = 0; i < 30; i++) { const o = Object.create(base);
    o["p" + i] = i; for (const k in o) n += k.length; } return n;
  },
  many_atoms() {
    const o = {}; for (let i = 0; i < 400; i++) o["name_" + i] = i; return o.name_399;
  },
  with_getter_throw() {
    const o = { get x() { throw new Error("g"); } }; const out = []; for (const f of [() => ({ ...o }),
    () => JSON.stringify(o), () => Object.values(o), () => Object.assign({}, o), () => [..."ab"].map(() => o.x),
    () => { for (const k in o) o[k]; }]) try { f(); } catch (e) { out.push(e.message); } return out.join();
  },
  dataview() {
    const d = new DataView(new ArrayBuffer(64), 8, 40); d.setBigInt64(0, 5n); d.setUint16(8, 300, true);
    d.setFloat32?.(12, 1.5); d.setFloat16?.(16, 1); return [String(d.getBigInt64(0)), d.getUint8(8), d.byteLength];
  },
  array_like() {
    return [Array.prototype.map.call("abc", (x) => x + x), Array.prototype.slice.call({ length: 3, 0: 1 }),
    Array.prototype.concat.call(1, 2), Array.prototype.join.call({ length: 2, 0: "a" }), Array.from(new Map([[1,
    2]])), Array.from("é\u{1F600}")];
  },
  holes() {
    const a = [1, , 3]; a[10] = 5; return [a.map((x) => x * 2), a.sort(), a.flat(), Object.keys(a), a.reverse(),
    a.shift(), a.pop(), a.splice(0, 2), a.length];
  },
  species() {
    class S extends Array { static get [Symbol.species]() { return Array; } } const s = S.of(1, 2, 3);
    return [s.map((x) => x) instanceof S, s.slice(1).length, s.concat([4]).length, s.splice(0, 1).length,
    s.filter(Boolean).length];
  },
  state(cx) {
    cx.state.n += 1;
    cx.state.list = [1, { id: 2, text: "x" }, [null, true, 1.5]];
    cx.state.words = "é\"".repeat(40);
    return cx.state;
  },
  state_many(cx) {
    cx.state.list = [];
    for (let i = 0; i < 80; i++) cx.state.list.push({ id: i, name: "name " + i, half: i / 2 });
    return JSON.stringify(cx.state).length;
  },
  state_set(cx) {
    cx.state = { n: 5, list: [], deep: { a: [1, 2, { b: null }] } };
    delete cx.state.n;
    return cx.state.deep;
  },
  fields(cx) {
    for (let i = 0; i < 12; i++) cx.field("f/" + i).put({ i, list: [i, "é"] });
    cx.field("f/3").delete();
    const rows = cx.scan({ prefix: "f/", reverse: true, limit: 5 });
    return [cx.field("f/2").get(), cx.field("f/3").get() ?? null, rows, cx.scan({ from: "f/4", to: "f/6" })];
  },
  calls(cx) {
    const other = cx.call(it, cx.key + "b");
    return [other.add({ n: 2 }), other.add({ n: 3 }), cx.call("it", cx.key + "c").add({ n: 1 }), cx.call(it, cx.key).add({ n: 1 }), cx.state.n];
  },
  catches_a_rejection(cx) {
    try {
      cx.call(it, cx.key + "b").refuse({ why: "so" });
    } catch (e: any) {
      return [e.code, e.message, e.details, e instanceof Error];
    }
  },
  rejection_passes(cx) {
    cx.state.n = 7;
    cx.call(it, cx.key + "b").refuse({ why: "so" });
  },
  rejects(cx) {
    reject("no", "not this", { list: [1, { a: "é" }], of: cx.state });
  },
  comes_back(cx) {
    cx.state.list = [{ id: 1, v: [1] }, { id: 2, v: [2] }, "x"];
    const [one, two] = cx.state.list;
    cx.call(it, cx.key + "b").back({ key: cx.key });
    return [one.v, two, cx.state.list, cx.state.n];
  },
  sends(cx) {
    const id = cx.send(it, cx.key + "b", { delay: 5 }).add({ n: 1 });
    return [typeof id, typeof cx.send("it", "x").add({ n: 2 })];
  },
  context(cx) {
    cx.log("said", { a: [1, "é"] }, undefined, 5);
    return [cx.key, cx.id, cx.seq, cx.now(), cx.random(), cx.uuid(), cx.caller].map((it) => typeof it);
  },
  throws() {
    const f = (n: number): number => (n > 0 ? f(n - 1) : (null as any).x);
    return f(5);
  },
  throws_a_value() {
    throw { a: [1, "é"], toString: () => "x" };
  },
  no_json() {
    return { list: [1, new Map([[1, 2]])] };
  },
  no_number(cx) {
    cx.state.n = NaN;
  },
};

/// What JSON has nothing for, in other words.
const shown = (_: string, it: any): any => {
  if (it === undefined || typeof it === "function" || typeof it === "symbol") return typeof it;
  if (typeof it === "bigint" || (typeof it === "number" && !isFinite(it))) return String(it);
  return it instanceof Map || it instanceof Set ? [...it] : it;
};

export const it = entity({ n: 0, list: [], words: "" } as any, {
  run(cx, { name, held }: { name: string; held: number }): any {
    const all: any[] = [];
    for (let i = 0; i < held; i++) all.push({ i });
    const made = programs[name](cx);
    return name.startsWith("no_") ? made : [JSON.stringify(made, shown), all.length];
  },
  names: query(() => Object.keys(programs)),
  add(cx, { n }: { n: number }): number {
    return (cx.state.n += n);
  },
  refuse(cx, { why }: { why: string }): any {
    cx.state.n = 100;
    reject("refused", why, { why, list: [1, 2] });
  },
  back(cx, { key }: { key: string }): any {
    return cx.call(it, key).change();
  },
  change(cx): any {
    cx.state.list = [{ id: 2, v: [3, 4] }, { id: 1, v: [1] }];
    cx.state.n += 1;
  },
});
