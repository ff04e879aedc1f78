import { entity } from "ordain";

// Methods that never come to an end by themselves, each in its way.
export const hostile = entity({}, {
  endless() { for (;;) ; },
  recursion() { const f = (n: number): number => 1 + f(n + 1); return f(0); },
  memory() { const all: object[] = []; for (;;) all.push({ at: all.length }); },
  texts() { for (;;) "x".repeat(1 << 20); },
  searches() { const text = "x".repeat(1 << 20); for (;;) text.indexOf("y"); },
});
