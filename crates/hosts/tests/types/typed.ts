// What an editor must see of calls between entities: names, arguments and values, from end to end. `.ci/types` has it
// checked by TypeScript; it is never run.
import { entity, query } from "ordain";
const a = entity({ n: 0 }, { add(cx, { by }: { by: number }) { return (cx.state.n += by); }, get: query((cx) => cx.state.n) });
export const b = entity({}, { go(cx) {
  const n: number = cx.call(a, "k").add({ by: 1 });
  const m: number = cx.call(a, "k").get();
  cx.send(a, "k", { delay: "1h" }).add({ by: 2 });
  // @ts-expect-error
  cx.call(a, "k").add({ by: "1" });
  // @ts-expect-error
  cx.call(a, "k").add();
  // @ts-expect-error
  cx.call(a, "k").nothing();
  // @ts-expect-error
  const s: string = cx.call(a, "k").get();
  // @ts-expect-error
  cx.send(a, "k", { dealy: "1h" }).add({ by: 2 });
  return n + m;
} });
