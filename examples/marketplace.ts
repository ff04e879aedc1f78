// An online marketplace: customers fill carts with the products of many sellers and check out; the order
// reserves stock, is paid, shipped and delivered. The same as examples/marketplace in Rust, type by type and
// method by method. Money is in cents, as whole numbers.
//
//   cart ──checkout──► order ──reserve──────────────────► stock        (each line)
//    ▲                   │ ──invoiced─────────────────────► seller      (each seller)
//    │                   │ ──process──► payment ──confirm─► stock        (each line)
//    │                   │                │ ──paid───────► customer, seller
//    │ price_changed     │ ◄────paid──────┘
//    │ (sends)           │ ──create──► shipment ──shipped─► seller
// product ──replace──► stock  ◄──shipped──┘ │
//                        ▲ ◄──delivered──────┤ ──delivered─► customer, seller
//
// A checkout is one transaction over all of these, written as plain calls. No step of it is ever seen half
// done, and nothing has to be compensated.

import { entity, query, reject, type Context, type QueryContext } from "ordain";

/** The most items a cart holds, and so the most lines an order has. */
const ITEMS_MAX = 10;
/** The most pieces of one item. */
const QUANTITY_MAX = 1_000;
/** How many carts one transaction tells of a price. More are told by a transaction that follows. */
const CARTS_AT_ONCE = 200;
/** How many depots there are. */
const DEPOTS = 16;
/** How many open shipments one delivery round looks at. */
const ROUND = 10;

// ---- values that travel between entities ------------------------------------------------------------

/** A price, and which of its product's prices it is: the first, the second, … */
type Price = { cents: number; number: number };
/** What a customer puts into the cart; `voucher_cents` is 0 if there is no voucher. */
type Wish = { product: string; quantity: number; voucher_cents: number };
/** What a cart holds of one product: the offer as the customer saw it. */
type Item = Wish & { seller: string; version: number; price: Price };
/** A line of an order. It leaves as one package. */
type Line = { product: string; seller: string; quantity: number; cents: number; delivered: boolean };
/** One seller's part of an order: `packages` is how many lines. */
type Share = { seller: string; cents: number; packages: number };
/** What a customer pays with: it says itself how much it is good for. */
type Card = { limit_cents: number };

function lineOf({ product, seller, quantity, price, voucher_cents }: Item): Line {
  const cents = Math.max(price.cents * quantity - voucher_cents, 0);
  return { product, seller, quantity, cents, delivered: false };
}

/** The lines by seller, each seller once, in the order in which they first come. */
function sharesOf(lines: Line[]): Share[] {
  const shares: Share[] = [];
  for (const { seller, cents } of lines) {
    const share = shares.find((share) => share.seller === seller);
    if (share === undefined) {
      shares.push({ seller, cents, packages: 1 });
    } else {
      share.cents += cents;
      share.packages += 1;
    }
  }
  return shares;
}

// ---- shopping ---------------------------------------------------------------------------------------

/** `orders` counts the orders made of it, named after it: `alice.1`, `alice.2`, …; `prices_missed` stays 0. */
type Cart = { items: Item[]; orders: number; prices_missed: number };

/** What a customer is about to buy: `cart/alice` is the cart of `customer/alice`. */
export const cart = entity({ items: [], orders: 0, prices_missed: 0 } as Cart, {
  /**
   * Puts these into the cart in place of what was there, at their present prices; gives how many there are.
   * From now on the cart hears of their price changes.
   */
  fill(cx: Context<Cart>, { wishes }: { wishes: Wish[] }) {
    checkWishes(wishes);
    const items = wishes.map(({ product: key, quantity, voucher_cents }) => {
      const { seller, version, price } = cx.call(product, key).watch({ cart: cx.key });
      return { product: key, seller, quantity, version, price, voucher_cents };
    });
    cx.state.items = items;
    return items.length;
  },

  /**
   * Orders what is in the cart, pays with the card, and empties the cart. An item that is not to be had is
   * left out; if none is, the checkout is rejected and the cart stays as it is.
   */
  checkout(cx: Context<Cart>, { card }: { card: Card }) {
    const { items } = cx.state;
    if (items.length === 0) reject("cart_empty", `there is nothing in the cart of ${cx.key}`);
    cx.state.items = [];
    cx.state.orders += 1;
    const name = `${cx.key}.${cx.state.orders}`;
    // An empty cart needs to hear of no price: told of each, it would only answer that.
    for (const item of items) cx.call(product, item.product).unwatch({ cart: cx.key });
    return cx.call(order, name).place({ customer: cx.key, items, card });
  },

  /** A product's price changed. It reaches every cart that holds the product by a send of its own. */
  price_changed(cx: Context<Cart>, { product: key, price }: { product: string; price: Price }) {
    const item = cx.state.items.find((item) => item.product === key);
    if (item === undefined) {
      cx.call(product, key).unwatch({ cart: cx.key });
    } else if (price.number > item.price.number) {
      // Else it came into the cart after this change, with a price at least as new.
      cx.state.prices_missed += price.number - item.price.number - 1;
      item.price = price;
    }
  },

  /** What is in it. */
  contents: query((cx: QueryContext<Cart>) => cx.state),
});

function checkWishes(wishes: Wish[]) {
  if (wishes.length < 1 || wishes.length > ITEMS_MAX) {
    reject("cart_size", `a cart holds 1 to ${ITEMS_MAX} items, not ${wishes.length}`);
  }
  const seen = new Set<string>();
  for (const { product: key, quantity, voucher_cents } of wishes) {
    if (!Number.isInteger(quantity) || quantity < 1 || quantity > QUANTITY_MAX) {
      reject("bad_quantity", `${quantity} pieces of ${key}; at most ${QUANTITY_MAX}`);
    }
    if (!Number.isSafeInteger(voucher_cents) || voucher_cents < 0) {
      reject("bad_voucher", `the voucher for ${key} is negative or no whole number`);
    }
    if (seen.has(key)) reject("item_twice", `${key} is there twice; add up the quantities`);
    seen.add(key);
  }
}

type Product = { seller: string | null; version: number; price: Price };

/** Fields of a product named after this hold the carts to be told of a price. */
const CARTS = "cart/";

/** What is for sale: `product/lamp`. Its stock is another entity of the same key. */
export const product = entity({ seller: null, version: 0, price: { cents: 0, number: 0 } } as Product, {
  /** Offers a new product, with so many pieces in stock. */
  list(cx: Context<Product>, { seller, cents, quantity }: { seller: string; cents: number; quantity: number }) {
    checkPrice(cents);
    if (cx.state.version !== 0) reject("listed", `${cx.key} is listed already`);
    cx.state.seller = seller;
    cx.state.version = 1;
    cx.state.price = { cents, number: 1 };
    cx.call(stock, cx.key).start({ version: 1, quantity });
  },

  /** Changes the price, and tells the carts that hold the product; gives the new price. */
  set_price(cx: Context<Product>, { cents }: { cents: number }) {
    checkPrice(cents);
    sellerOf(cx);
    const price = { cents, number: cx.state.price.number + 1 };
    cx.state.price = price;
    tellCarts(cx, price, CARTS);
    return price;
  },

  /** Goes on telling carts of a price, after the cart named. */
  tell_more(cx: Context<Product>, { price, after }: { price: Price; after: string }) {
    tellCarts(cx, price, after);
  },

  /** Replaces the product by a new version. Its stock follows in the same transaction. */
  replace(cx: Context<Product>) {
    sellerOf(cx);
    const version = (cx.state.version += 1);
    cx.call(stock, cx.key).replace({ version });
    return version;
  },

  /** The offer, for a cart that will hear of its price changes. */
  watch(cx: Context<Product>, args: { cart: string }) {
    // One field a cart: a state that lists them all would be written whole each time.
    cx.field(CARTS + args.cart).put(true);
    return offerOf(cx);
  },

  /** Tells a cart no more. */
  unwatch(cx: Context<Product>, args: { cart: string }) {
    cx.field(CARTS + args.cart).delete();
  },

  /** The offer, for a look. */
  look: query((cx: QueryContext<Product>) => offerOf(cx)),
});

/**
 * Sends the price to the carts that watch, a page at a time. A later price is sent to each cart after this
 * one, since the pages of both go the same way in the same order.
 */
function tellCarts(cx: Context<Product>, price: Price, after: string) {
  let fields: string[] = cx.scan({ prefix: CARTS, from: after, limit: CARTS_AT_ONCE + 1 }).map(([field]) => field);
  // A scan begins with the name it is given, which was told already.
  if (fields[0] === after) fields.shift();
  fields = fields.slice(0, CARTS_AT_ONCE);
  for (const field of fields) {
    cx.send(cart, field.slice(CARTS.length)).price_changed({ product: cx.key, price });
  }
  if (fields.length === CARTS_AT_ONCE) {
    cx.send("product", cx.key).tell_more({ price, after: fields[CARTS_AT_ONCE - 1] });
  }
}

function offerOf(cx: QueryContext<Product>) {
  const { version, price } = cx.state;
  return { seller: sellerOf(cx), version, price };
}

/** Who sells the product, which no one may. */
function sellerOf(cx: QueryContext<Product>): string {
  const { seller } = cx.state;
  if (seller === null) reject("no_product", `there is no product ${cx.key}`);
  return seller;
}

function checkPrice(cents: number) {
  // Bounded, so that every total is exact.
  if (!Number.isInteger(cents) || cents < 1 || cents > 100_000_000) {
    reject("bad_price", `no price is ${cents} cents`);
  }
}

/** `version` is 0 before it is listed; of `quantity` pieces, `reserved` are promised. */
type Stock = { version: number; quantity: number; reserved: number };

/** How many pieces of a product there are: `stock/lamp` is that of `product/lamp`. */
export const stock = entity({ version: 0, quantity: 0, reserved: 0 } as Stock, {
  /** The first pieces of a new product. */
  start(cx: Context<Stock>, { version, quantity }: { version: number; quantity: number }) {
    if (cx.state.version !== 0) reject("listed", "this stock is in use");
    cx.state.version = version;
    cx.state.quantity = quantity;
    cx.state.reserved = 0;
  },

  /** Follows its product to a new version. */
  replace(cx: Context<Stock>, { version }: { version: number }) {
    if (version <= cx.state.version) reject("old_version", `version ${cx.state.version} is newer`);
    cx.state.version = version;
  },

  /** Promises pieces of this version to an order. Not to have them is an answer here and no rejection. */
  reserve(cx: Context<Stock>, { version, quantity }: { version: number; quantity: number }) {
    const stock = cx.state;
    if (version !== stock.version) return "Unavailable";
    if (quantity > stock.quantity - stock.reserved) return "OutOfStock";
    stock.reserved += quantity;
    return "InStock";
  },

  /** Reserved pieces are sold. */
  confirm(cx: Context<Stock>, { quantity }: { quantity: number }) {
    release(cx.state, quantity);
    cx.state.quantity -= quantity;
  },

  /** Reserved pieces are not wanted after all. */
  cancel(cx: Context<Stock>, { quantity }: { quantity: number }) {
    release(cx.state, quantity);
  },

  /** All of it. */
  level: query((cx: QueryContext<Stock>) => cx.state),
});

function release(stock: Stock, quantity: number) {
  if (quantity > stock.reserved) {
    reject("not_reserved", `${quantity} pieces, but only ${stock.reserved} are reserved`);
  }
  stock.reserved -= quantity;
}

// ---- a checkout, and what follows it ----------------------------------------------------------------

type Status = "None" | "Invoiced" | "Declined" | "Paid" | "Shipped" | "Delivered";
/** A depot, and the shipment's number there. */
type ShippedBy = { depot: string; number: number };
/** `lines` counts them, and `delivered` those that arrived. */
type Order = {
  status: Status;
  customer: string | null;
  placed_at: number;
  cents: number;
  lines: number;
  delivered: number;
  shipped_by: ShippedBy | null;
};

/** Fields of an order named after this hold its lines: to mark one as delivered writes that one alone. */
const LINES = "line/";
const unplaced: Order = {
  status: "None",
  customer: null,
  placed_at: 0,
  cents: 0,
  lines: 0,
  delivered: 0,
  shipped_by: null,
};

/** What a customer bought: `order/alice.1` is the first order of `customer/alice`. */
export const order = entity(unplaced, {
  /**
   * Places the order, and sees it through payment to its shipment, which come back into this order before
   * this method ends: what they wrote is in `cx.state` when it goes on.
   */
  place(cx: Context<Order>, { customer: who, items, card }: { customer: string; items: Item[]; card: Card }) {
    if (cx.state.status !== "None") reject("placed", `the order ${cx.key} was placed already`);
    const { lines, missing } = reserve(cx, items);
    if (lines.length === 0) reject("nothing_available", "nothing in the cart is to be had", missing);
    const cents = invoice(cx, who, lines);
    const shares = sharesOf(lines);
    for (const share of shares) {
      cx.call(seller, share.seller).invoiced({ order: cx.key, cents: share.cents, packages: share.packages });
    }
    const paid = cx.call(payment, cx.key).process({ customer: who, cents, lines, shares, card });
    if (paid) cx.call(shipment, depotOf(who)).create({ order: cx.key, customer: who, lines, shares });
    return { order: cx.key, paid, cents, lines: lines.length, missing };
  },

  /** The payment went through, or not. */
  paid(cx: Context<Order>, { paid }: { paid: boolean }) {
    advance(cx.state, "Invoiced", paid ? "Paid" : "Declined");
  },

  /** It is on its way. */
  shipped(cx: Context<Order>, { by }: { by: ShippedBy }) {
    advance(cx.state, "Paid", "Shipped");
    cx.state.shipped_by = by;
  },

  /** The package of one line arrived. */
  delivered(cx: Context<Order>, { line }: { line: number }) {
    const field = cx.field(lineField(line));
    const found: Line | null | undefined = field.get();
    if (found == null) reject("no_line", `the order has no line ${line}`);
    if (found.delivered) reject("delivered_twice", `line ${line} was delivered before`);
    found.delivered = true;
    field.put(found);
    cx.state.delivered += 1;
    if (cx.state.delivered === cx.state.lines) advance(cx.state, "Shipped", "Delivered");
    return cx.state.status;
  },

  /** The order and its lines. */
  details: query((cx: QueryContext<Order>) => ({
    order: cx.state,
    lines: cx.scan({ prefix: LINES }).map(([, line]) => line),
  })),
});

function advance(order: Order, from: Status, to: Status) {
  if (order.status !== from) reject("wrong_status", `the order is ${order.status}, not ${from}`);
  order.status = to;
}

/** Reserves what is in stock; gives the lines, and the products that are left out. */
function reserve(cx: Context<Order>, items: Item[]) {
  const lines: Line[] = [];
  const missing: string[] = [];
  for (const item of items) {
    const answer = cx.call(stock, item.product).reserve({ version: item.version, quantity: item.quantity });
    if (answer === "InStock") lines.push(lineOf(item));
    else missing.push(item.product);
  }
  return { lines, missing };
}

/** Writes down what was ordered; gives what it costs. */
function invoice(cx: Context<Order>, customer: string, lines: Line[]) {
  let cents = 0;
  lines.forEach((line, at) => {
    cents += line.cents;
    cx.field(lineField(at + 1)).put(line);
  });
  Object.assign(cx.state, {
    status: "Invoiced",
    customer,
    placed_at: cx.now(),
    cents,
    lines: lines.length,
    delivered: 0,
    shipped_by: null,
  });
  return cents;
}

/** Lines count from 1. Padded, so that their names are in the order of their numbers. */
function lineField(number: number) {
  return LINES + String(number).padStart(2, "0");
}

type Payment = { status: "None" | "Paid" | "Declined"; cents: number };
type Charge = { customer: string; cents: number; lines: Line[]; shares: Share[]; card: Card };

/** How an order was paid: `payment/alice.1` is that of `order/alice.1`. */
export const payment = entity({ status: "None", cents: 0 } as Payment, {
  /**
   * Asks the card for the money, and tells everyone what came of it: sold or not, the stock's reservations
   * end here. Gives whether it was paid.
   */
  process(cx: Context<Payment>, { customer: who, cents, lines, shares, card }: Charge) {
    if (cx.state.status !== "None") reject("paid_twice", `the order ${cx.key} asked for its payment before`);
    const paid = cents <= card.limit_cents;
    cx.state.status = paid ? "Paid" : "Declined";
    cx.state.cents = cents;
    for (const { product: key, quantity } of lines) {
      if (paid) cx.call(stock, key).confirm({ quantity });
      else cx.call(stock, key).cancel({ quantity });
    }
    cx.call(customer, who).paid({ cents, paid });
    for (const share of shares) cx.call(seller, share.seller).paid({ order: cx.key, paid });
    // Back into the order that called: it is still in the middle of `place`.
    cx.call(order, cx.key).paid({ paid });
    return paid;
  },

  /** All of it. */
  details: query((cx: QueryContext<Payment>) => cx.state),
});

/** Shipments are numbered from 1; `open` counts those on their way, `delivered` packages that arrived. */
type Depot = { shipments: number; open: number; delivered: number };
type Package = { seller: string; delivered: boolean };
/** The shipment of one order: a package for each of its lines. */
type Consignment = { order: string; customer: string; packages: Package[] };
type Shipped = { order: string; customer: string; lines: Line[]; shares: Share[] };

/** Fields of a depot: shipments while something is on its way, and after. */
const OPEN = "open/";
const DONE = "done/";

/** What is on its way. An entity is one depot with all its shipments, `shipment/depot-07`. */
export const shipment = entity({ shipments: 0, open: 0, delivered: 0 } as Depot, {
  /** Sends an order on its way, a package for each line; tells the sellers and the order. */
  create(cx: Context<Depot>, { order: name, customer: who, lines, shares }: Shipped) {
    const number = (cx.state.shipments += 1);
    cx.state.open += 1;
    const packages = lines.map(({ seller }) => ({ seller, delivered: false }));
    const consignment: Consignment = { order: name, customer: who, packages };
    cx.field(shipmentField(OPEN, number)).put(consignment);
    for (const share of shares) cx.call(seller, share.seller).shipped({ order: name });
    cx.call(order, name).shipped({ by: { depot: cx.key, number } });
    return number;
  },

  /** One round: of the oldest open shipments, each seller's oldest package is delivered. Gives how many were. */
  deliver(cx: Context<Depot>) {
    const served = new Set<string>();
    let delivered = 0;
    for (const [field, consignment] of cx.scan({ prefix: OPEN, limit: ROUND }) as [string, Consignment][]) {
      const before = delivered;
      consignment.packages.forEach((parcel, at) => {
        if (parcel.delivered || served.has(parcel.seller)) return;
        parcel.delivered = true;
        served.add(parcel.seller);
        tellDelivered(cx, consignment, at);
        delivered += 1;
      });
      if (delivered > before) keep(cx, field, consignment);
    }
    if (delivered > 0) cx.state.delivered += delivered;
    return delivered;
  },

  /** A shipment by its number. */
  find: query((cx: QueryContext<Depot>, { number }: { number: number }) =>
    cx.field(shipmentField(OPEN, number)).get() ?? cx.field(shipmentField(DONE, number)).get() ?? null),

  /** The depot's counters. */
  counters: query((cx: QueryContext<Depot>) => cx.state),
});

function tellDelivered(cx: Context<Depot>, { order: name, customer: who, packages }: Consignment, at: number) {
  cx.call(customer, who).delivered({});
  cx.call(seller, packages[at].seller).delivered({ order: name });
  cx.call(order, name).delivered({ line: at + 1 });
}

/** Writes a shipment back, to where it belongs now. */
function keep(cx: Context<Depot>, field: string, consignment: Consignment) {
  if (consignment.packages.every(({ delivered }) => delivered)) {
    cx.field(field).delete();
    cx.field(DONE + field.slice(OPEN.length)).put(consignment);
    cx.state.open -= 1;
  } else {
    cx.field(field).put(consignment);
  }
}

/** Padded, so that the oldest comes first. */
function shipmentField(prefix: string, number: number) {
  return prefix + String(number).padStart(12, "0");
}

/** The depot that serves a customer: always the same one. FNV-1a, of which the lowest bits suffice. */
function depotOf(customer: string) {
  let hash = 0x8422_2325;
  for (let at = 0; at < customer.length; at++) hash = Math.imul(hash ^ customer.charCodeAt(at), 0x01b3);
  return `depot-${String((hash >>> 0) % DEPOTS).padStart(2, "0")}`;
}

// ---- what it comes to for either side ---------------------------------------------------------------

type Customer = { paid: number; declined: number; spent_cents: number; delivered: number };

/** Who buys: `customer/alice`. Keeps count of what the others tell it. */
export const customer = entity({ paid: 0, declined: 0, spent_cents: 0, delivered: 0 } as Customer, {
  /** An order of these cents was paid, or declined. */
  paid(cx: Context<Customer>, { cents, paid }: { cents: number; paid: boolean }) {
    if (paid) {
      cx.state.paid += 1;
      cx.state.spent_cents += cents;
    } else {
      cx.state.declined += 1;
    }
  },

  /** A package arrived. */
  delivered(cx: Context<Customer>) {
    cx.state.delivered += 1;
  },

  /** All of it. */
  details: query((cx: QueryContext<Customer>) => cx.state),
});

/** What the open orders come to, and what was earned and delivered in all. */
type Seller = { open: number; open_cents: number; earned_cents: number; delivered: number };
/** What a seller still has to do with one order. */
type OpenOrder = { cents: number; packages: number; progress: "Invoiced" | "Paid" | "Shipped" };

/** Who sells: `seller/acme`. Its open orders are fields beside the state, which holds what they add up to. */
export const seller = entity({ open: 0, open_cents: 0, earned_cents: 0, delivered: 0 } as Seller, {
  /** An order holds these packages of this seller. */
  invoiced(cx: Context<Seller>, args: { order: string; cents: number; packages: number }) {
    const open: OpenOrder = { cents: args.cents, packages: args.packages, progress: "Invoiced" };
    cx.field(OPEN + args.order).put(open);
    cx.state.open += 1;
    cx.state.open_cents += args.cents;
  },

  /** It was paid, or will never be. */
  paid(cx: Context<Seller>, args: { order: string; paid: boolean }) {
    const open = findOpen(cx, args.order);
    if (!args.paid) return close(cx, args.order, open);
    open.progress = "Paid";
    cx.field(OPEN + args.order).put(open);
    cx.state.earned_cents += open.cents;
  },

  /** It is on its way. */
  shipped(cx: Context<Seller>, args: { order: string }) {
    const open = findOpen(cx, args.order);
    open.progress = "Shipped";
    cx.field(OPEN + args.order).put(open);
  },

  /** One of its packages arrived. With the last one the order is no longer open. */
  delivered(cx: Context<Seller>, args: { order: string }) {
    const open = findOpen(cx, args.order);
    cx.state.delivered += 1;
    open.packages -= 1;
    if (open.packages === 0) return close(cx, args.order, open);
    cx.field(OPEN + args.order).put(open);
  },

  /** The open orders, and what they come to: from one moment. */
  dashboard: query((cx: QueryContext<Seller>) => ({
    seller: cx.state,
    orders: cx.scan({ prefix: OPEN }).map(([field, open]) => [field.slice(OPEN.length), open]),
  })),
});

function findOpen(cx: Context<Seller>, name: string): OpenOrder {
  const open = cx.field(OPEN + name).get();
  if (open == null) reject("not_open", `the order ${name} is not open here`);
  return open;
}

function close(cx: Context<Seller>, name: string, open: OpenOrder) {
  cx.field(OPEN + name).delete();
  cx.state.open -= 1;
  cx.state.open_cents -= open.cents;
}
