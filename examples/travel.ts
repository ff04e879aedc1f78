// A travel agency: people look for hotels near a place, are recommended some, and reserve a hotel together
// with a flight. The same as examples/travel in Rust, type by type and method by method.
//
//   region ──profile, rates──► hotel        (search: the five nearest)
//
// traveler ──take──► rooms                  (reserve: both or neither)
//    │ ──────take──► flight
//    └ ─ ─ ─place─ ► itinerary              (a send: the order follows in a transaction of its own)

import { entity, query, reject, type Context, type QueryContext } from "ordain";

/** How many hotels a search finds. */
const NEAREST = 5;
const HOTELS_MAX = 1_000;
/** The most orders of one page. */
const PAGE_MAX = 1_000;
/** Fields named after this hold the orders of an itinerary. */
const ORDERS = "order/";

/** A position in hundred-thousandths of a degree: whole numbers are the same in every language. */
type Place = { lat: number; lon: number };
/** A hotel as its region knows it; `rating` in tenths of a star. */
type Listing = { hotel: string; place: Place; rating: number; cents: number };
type Profile = { name: string; phone: string; address: string; description: string };
type Rate = { room: string; cents: number };
type Order = { hotel: string; flight: string; placed_at: number };

type Region = { hotels: Listing[] };
type Hotel = { profile: Profile | null; rates: Rate[] };
type Vacancy = { left: number; taken: number };
type Traveler = { digest: string };
type Itinerary = { orders: number };

/** What a hotel says of itself: `hotel/palace`. */
export const hotel = entity({ profile: null, rates: [] } as Hotel, {
  /** Puts this in place of what was said before. */
  describe(cx: Context<Hotel>, { profile, rates }: { profile: Profile; rates: Rate[] }) {
    for (const { cents } of rates) {
      if (!(cents > 0)) reject("bad_rate", `no night costs ${cents} cents`);
    }
    cx.state.profile = profile;
    cx.state.rates = rates;
  },

  /** What people read of it. */
  profile: query((cx: QueryContext<Hotel>) => {
    if (cx.state.profile === null) reject("no_hotel", "nothing is known of this hotel");
    return cx.state.profile;
  }),

  /** What a night costs. */
  rates: query((cx: QueryContext<Hotel>) => cx.state.rates),
});

/** Where hotels are: `region/bay`. One state holds all positions, for a search looks at each of them. */
export const region = entity({ hotels: [] } as Region, {
  /** Lists a hotel, or lists it anew. */
  list(cx: Context<Region>, { listing }: { listing: Listing }) {
    checkPlace(listing.place);
    const { hotels } = cx.state;
    const at = hotels.findIndex((known) => known.hotel === listing.hotel);
    if (at >= 0) hotels[at] = listing;
    else hotels.push(listing);
    if (hotels.length > HOTELS_MAX) reject("region_full", `a region has at most ${HOTELS_MAX} hotels`);
    return hotels.length;
  },

  /** The hotels nearest to a place, the nearest first, with all that is known of them. */
  search: query((cx: QueryContext<Region>, { place }: { place: Place }) => {
    checkPlace(place);
    const near = cx.state.hotels.map((listing, at) => ({ at, distance: distance(listing.place, place) }));
    near.sort((a, b) => a.distance - b.distance || a.at - b.at);
    return near.slice(0, NEAREST).map(({ at }) => {
      const key = cx.state.hotels[at].hotel;
      const found = cx.call(hotel, key);
      return { hotel: key, profile: found.profile({}), rates: found.rates({}) };
    });
  }),

  /** The best hotels; several only if they are equally good. */
  recommend: query((cx: QueryContext<Region>, { by, place }: { by: "distance" | "rating" | "price"; place: Place }) => {
    checkPlace(place);
    const worse = {
      distance: (listing: Listing) => distance(listing.place, place),
      rating: (listing: Listing) => -listing.rating,
      price: (listing: Listing) => listing.cents,
    }[by];
    if (worse === undefined) reject("bad_by", `hotels are recommended by distance, rating or price, not by ${by}`);
    let best = Infinity;
    let hotels: string[] = [];
    for (const listing of cx.state.hotels) {
      const how = worse(listing);
      if (how > best) continue;
      if (how < best) hotels = [];
      best = how;
      hotels.push(listing.hotel);
    }
    return hotels;
  }),
});

/** The rooms of the hotel of the same key. */
export const rooms = entity({ left: 0, taken: 0 } as Vacancy, {
  /** Offers so many rooms. A hotel that is in use is not opened again. */
  open(cx: Context<Vacancy>, { places }: { places: number }) {
    openPlaces(cx.state, places);
  },

  /** Reserves one; gives how many are left. Rejects what is sold out. */
  take(cx: Context<Vacancy>) {
    return takePlace(cx.state, "room");
  },

  /** What is left, and what is taken. */
  vacancy: query((cx: QueryContext<Vacancy>) => cx.state),
});

/** The seats of a flight. */
export const flight = entity({ left: 0, taken: 0 } as Vacancy, {
  /** Offers so many seats. A flight that is in use is not opened again. */
  open(cx: Context<Vacancy>, { places }: { places: number }) {
    openPlaces(cx.state, places);
  },

  /** Reserves one; gives how many are left. Rejects what is sold out. */
  take(cx: Context<Vacancy>) {
    return takePlace(cx.state, "seat");
  },

  /** What is left, and what is taken. */
  vacancy: query((cx: QueryContext<Vacancy>) => cx.state),
});

/**
 * Who travels: `traveler/alice`. The client makes a digest of the password, which itself never comes here;
 * it is empty before the traveler is registered.
 */
export const traveler = entity({ digest: "" } as Traveler, {
  /** Registers a traveler, once. */
  register(cx: Context<Traveler>, { digest }: { digest: string }) {
    if (digest === "") reject("bad_digest", "the digest is empty");
    if (cx.state.digest !== "") reject("registered", "this traveler is registered already");
    cx.state.digest = digest;
  },

  /** Whether this is the traveler's digest. */
  login: query((cx: QueryContext<Traveler>, { digest }: { digest: string }) => digest !== "" && cx.state.digest === digest),

  /**
   * Reserves a room and a seat; gives the reservation's name. If either is sold out, neither is taken. The
   * order is placed by a send: it follows in a transaction of its own, exactly once.
   */
  reserve(cx: Context<Traveler>, args: { hotel: string; flight: string }) {
    if (cx.state.digest === "") reject("no_traveler", `${cx.key} is not registered`);
    cx.call(rooms, args.hotel).take({});
    cx.call(flight, args.flight).take({});
    const reservation = cx.uuid();
    cx.send(itinerary, cx.key).place({ reservation, hotel: args.hotel, flight: args.flight });
    return reservation;
  },
});

/** What a traveler reserved. Orders are fields beside the state, each under its reservation's name. */
export const itinerary = entity({ orders: 0 } as Itinerary, {
  /** Places the order of a reservation. */
  place(cx: Context<Itinerary>, args: { reservation: string; hotel: string; flight: string }) {
    const field = cx.field(ORDERS + args.reservation);
    if (field.get() != null) reject("placed", `the order of ${args.reservation} was placed already`);
    const order: Order = { hotel: args.hotel, flight: args.flight, placed_at: cx.now() };
    field.put(order);
    cx.state.orders += 1;
  },

  /** How many orders there are. */
  count: query((cx: QueryContext<Itinerary>) => cx.state.orders),

  /** Orders by the names of their reservations, at most so many, those after the one named. */
  page: query((cx: QueryContext<Itinerary>, { after }: { after: string | null }) => {
    const from = ORDERS + (after ?? "");
    const orders = cx.scan({ prefix: ORDERS, from, limit: PAGE_MAX + 1 });
    // A scan begins with the name it is given.
    if (orders.length > 0 && orders[0][0] === from) orders.shift();
    return orders.slice(0, PAGE_MAX).map(([field, order]) => [field.slice(ORDERS.length), order]);
  }),
});

/** The square of the distance on a plane: within a region that orders as the distance does. */
function distance(a: Place, b: Place) {
  const [lat, lon] = [a.lat - b.lat, a.lon - b.lon];
  return lat * lat + lon * lon;
}

function checkPlace({ lat, lon }: Place) {
  const onEarth = Number.isInteger(lat) && Number.isInteger(lon) && Math.abs(lat) <= 9_000_000 && Math.abs(lon) <= 18_000_000;
  if (!onEarth) reject("bad_place", `there is no place ${lat}, ${lon}: positions are hundred-thousandths of a degree`);
}

function openPlaces(state: Vacancy, places: number) {
  if (state.left + state.taken > 0) reject("in_use", `there were ${state.left + state.taken} places before`);
  if (!Number.isSafeInteger(places) || places < 0) reject("bad_places", `there cannot be ${places} places`);
  state.left = places;
}

function takePlace(state: Vacancy, what: string) {
  if (state.left === 0) reject("sold_out", `no ${what} is left`);
  state.taken += 1;
  return (state.left -= 1);
}
