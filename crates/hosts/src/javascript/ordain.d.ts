/**
 * What an Ordain module imports from "ordain". Written by `ordain types`; not meant to be changed.
 *
 * Numbers are exact up to 2^53 (`Number.MAX_SAFE_INTEGER`): let larger whole numbers travel as text, and
 * take `BigInt(text)` to reckon with them. Arguments, state, fields and values are JSON.
 */
declare module "ordain" {
  /** What can be stored, passed and returned. */
  export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

  /** What a query reaches the world by: it reads. */
  export interface QueryContext<State = any> {
    /** The state of this entity. A query may look at it, and changes a copy. */
    readonly state: State;
    /** This entity's key. */
    readonly key: string;
    /** This entity's type and key: `account/alice`. */
    readonly id: string;
    /** Who asked for the transaction: the name of a token, or the entity that sent it. */
    readonly caller: string;
    /** The transaction's place in the log; in a query, that of the last command it sees. */
    readonly seq: number;
    /** The time in milliseconds since 1970, UTC: that of the batch the transaction is in, never going back. */
    now(): number;
    /** A random number from 0 to below 1, the same in every replay. */
    random(): number;
    /** A new UUID of version 7, the same in every replay. */
    uuid(): string;
    /** A field of this entity. */
    field<Value = any>(name: string): Field<Value>;
    /**
     * Fields of this entity, in the order of their names. Without a limit all of them come, and more than
     * 10,000 are a fault.
     */
    scan<Value = any>(range?: Range): [name: string, value: Value][];
    /** An entity, to call its methods within this transaction. */
    call<E extends AnyEntity>(entity: E, key: string): Calls<MethodsOf<E>>;
    call<Type extends keyof Entities>(type: Type, key: string): Calls<MethodsOf<Entities[Type]>>;
    call(type: string, key: string): { readonly [method: string]: (args?: object) => any };
    /** Says something in the server's log, for people to read. No outcome depends on it. */
    log(...values: unknown[]): void;
  }

  /** What an update reaches the world by. */
  export interface Context<State = any> extends QueryContext<State> {
    /**
     * The state of this entity, to be changed in place or replaced: it is written when the method ends, if
     * its JSON changed. A call that comes back to this entity sees the changes, and what it changes is here
     * after it.
     */
    state: State;
    /**
     * An entity, to call a method of it in a transaction of its own, after this one: the call happens if and
     * only if this transaction commits, exactly once. The method gives the send's id.
     */
    send<E extends AnyEntity>(entity: E, key: string, options?: SendOptions): Sends<MethodsOf<E>>;
    send<Type extends keyof Entities>(type: Type, key: string, options?: SendOptions): Sends<MethodsOf<Entities[Type]>>;
    send(type: string, key: string, options?: SendOptions): { readonly [method: string]: (args?: object) => string };
  }

  /** A value beside an entity's state, under a name of its own. */
  export interface Field<Value> {
    get(): Value | undefined;
    put(value: Value): void;
    delete(): void;
  }

  export interface Range {
    /** The first name, if it is there. */
    from?: string;
    /** The name before which the scan ends. */
    to?: string;
    /** What all names begin with. */
    prefix?: string;
    /** From the last downwards. */
    reverse?: boolean;
    /** How many at most. */
    limit?: number;
  }

  export interface SendOptions {
    /** How long to wait: milliseconds, or a text such as "90s", "1.5h", "7d". */
    delay?: number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;
  }

  /** A method: an update, or what `query` gives. */
  export type Update<State, Args = any, Value = any> = (cx: Context<State>, args: Args) => Value;
  export interface Query<State, Args = any, Value = any> {
    readonly run: (cx: QueryContext<State>, args: Args) => Value;
  }
  export type Methods<State> = { [name: string]: Update<State> | Query<State> };

  /** An entity type. */
  export interface Entity<State, M> {
    readonly state: State;
    readonly methods: M;
  }
  export type AnyEntity = Entity<any, any>;
  export type MethodsOf<E> = E extends Entity<any, infer M> ? M : never;
  /** The state of an entity type: `StateOf<typeof account>`. */
  export type StateOf<E> = E extends Entity<infer State, any> ? State : never;

  export interface Options<State> {
    /** The entity type's name, where it is not to be that of the export. */
    name?: string;
    /** The version of the state's shape, from 1 on. */
    version?: number;
    /**
     * Makes a state of this version from one of another, when an entity is first touched. Without it, new
     * names at the top level take their defaults. It has neither time nor chance: `Date.now()`, `new Date()` and
     * `Math.random()` throw in it.
     */
    migrate?(state: any, fromVersion: number): State;
  }

  /**
   * Entity types of other modules, for `cx.call("name", key)`:
   *
   * ```ts
   * declare module "ordain" {
   *   interface Entities { account: typeof import("./bank").account }
   * }
   * ```
   */
  export interface Entities {}

  /**
   * Defines an entity type, named as it is exported. An entity has the default state before its first
   * write.
   *
   * ```ts
   * export const account = entity({ balance: 0 }, {
   *   deposit(cx, { amount }: { amount: number }) {
   *     return (cx.state.balance += amount);
   *   },
   *   balance: query((cx) => cx.state.balance),
   * });
   * ```
   *
   * A method that returns what a method of the same entity type gives needs its type written out.
   */
  export function entity<State, const M extends Methods<State>>(
    state: State,
    methods: M,
    options?: Options<State>,
  ): Entity<State, M>;

  /** A method that only reads: it can be asked for without being logged. */
  export function query<State, Args, Value>(
    run: (cx: QueryContext<State>, args: Args) => Value,
  ): Query<State, Args, Value>;

  /** Says no: undoes all that the method did, and what it called. */
  export function reject(code: string, message?: string, details?: unknown): never;

  /**
   * What a rejected call throws. Who catches it goes on, and all that the rejected method did is undone.
   * Faults do not come to a `catch`.
   */
  export class Rejection extends Error {
    constructor(code: string, message?: string, details?: unknown);
    readonly code: string;
    readonly details: any;
  }

  /** What a call gives: null where a method gives nothing. */
  type Given<Value> = 0 extends 1 & Value ? any : Value extends undefined | void ? null : Value;
  type Call<Args, Value> = unknown extends Args ? (args?: object) => Value
    : undefined extends Args ? (args?: Args) => Value
    : {} extends Args ? (args?: Args) => Value
    : (args: Args) => Value;
  type Calls<M> = {
    readonly [K in keyof M]: M[K] extends Query<any, infer Args, infer Value> ? Call<Args, Given<Value>>
      : M[K] extends (cx: any, args: infer Args) => infer Value ? Call<Args, Given<Value>>
      : never;
  };
  type Sends<M> = {
    readonly [K in keyof M]: M[K] extends Query<any, infer Args, any> ? Call<Args, string>
      : M[K] extends (cx: any, args: infer Args) => any ? Call<Args, string>
      : never;
  };
}

/**
 * What the tests beside a module import; `ordain test` runs them. The tests of bank.ts are in bank.test.ts.
 */
declare module "ordain/test" {
  export { Rejection } from "ordain";

  /**
   * What a test acts on: a node of its own, in memory, with the module deployed and nothing in it. Its time
   * stands still until the test lets it pass; what is due at once has happened when a call gives its value.
   */
  export interface Test {
    /** Calls a method and gives its value. A rejection is thrown; a fault throws an Error that says what and where. */
    call(type: string, key: string, method: string, args?: object): any;
    /** The same for a query, and for nothing else. */
    query(type: string, key: string, method: string, args?: object): any;
    /** Asks for a call later and gives the send's id. */
    send(type: string, key: string, method: string, args?: object, options?: import("ordain").SendOptions): string;
    /** Lets time pass, milliseconds or a text such as "1h", and happen what comes due. */
    advance(time: number | `${number}${"ms" | "s" | "m" | "h" | "d"}`): void;
    /** The state of an entity, `account/alice`; null before its first write. */
    state(entity: string): any;
    /** The node's time in milliseconds since 1970, UTC. */
    now(): number;
    /** Prints something beside the test's result; so does `console.log`, of which an editor does not know here. */
    log(...values: unknown[]): void;
    /** Runs a function that is to be rejected with this code, fails if it is not, and gives the rejection. */
    expectRejection(code: string, run: () => unknown): import("ordain").Rejection;
  }

  /** Notes a test. Each runs alone: the file is started anew for it. */
  export function test(name: string, run: (t: Test) => void | Promise<void>): void;
  /** Fails unless the condition holds. */
  export function assert(condition: unknown, message?: string): asserts condition;
  /** Fails unless both are the same as JSON has it: names that hold undefined are not there, in a list it is null. */
  export function assertEquals(actual: unknown, expected: unknown, message?: string): void;
}
