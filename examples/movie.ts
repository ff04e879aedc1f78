// Movie reviews: who saw a movie writes a review of it, which is then found with its author and with its
// movie. The same as examples/movie in Rust, type by type and method by method.
//
// composer ──id──► movie_user, movie          (who, and of what)
//    │ ──by, about, says, rates──► review      (its parts)
//    └ ──────────────────compose──► review ──append──► user_reviews
//                                      └ ─────append──► movie_reviews

import { entity, query, reject, type Context, type QueryContext } from "ordain";

/** Characters of a text. */
const TEXT_MAX = 256;
/** The best rating; the worst is 0. */
const RATING_MAX = 10;
/** The most reviews of one page. */
const PAGE_MAX = 1_000;
/** Fields named after this hold the reviews of a list. */
const REVIEWS = "review/";

type Named = { id: string | null };
type Review = {
  user: string | null;
  movie: string | null;
  text: string;
  rating: number | null;
  composed_at: number | null;
};
type UserReviews = { reviews: number };
type MovieReviews = { reviews: number; ratings: number };

/** Somebody who writes reviews, by name. */
export const movie_user = entity({ id: null } as Named, {
  /** Takes the name, once. */
  register(cx: Context<Named>, { id }: { id: string }) {
    if (cx.state.id !== null) reject("registered", "the name is taken");
    cx.state.id = id;
  },

  /** Whose name it is. */
  id: query((cx: QueryContext<Named>) => {
    if (cx.state.id === null) reject("no_user", "nobody has this name");
    return cx.state.id;
  }),
});

/** A movie, by its title. */
export const movie = entity({ id: null } as Named, {
  /** Takes the title, once. */
  release(cx: Context<Named>, { id }: { id: string }) {
    if (cx.state.id !== null) reject("released", "there is a movie of this title");
    cx.state.id = id;
  },

  /** Which movie it is. */
  id: query((cx: QueryContext<Named>) => {
    if (cx.state.id === null) reject("no_movie", "there is no movie of this title");
    return cx.state.id;
  }),
});

/** What a client calls to write a review: `composer/main`, or any other key. It has no state. */
export const composer = entity({}, {
  /**
   * Writes a review; gives its name. Ten calls, this one counted, and one transaction: a text that is too
   * long is refused after others were called, and nothing of it remains.
   */
  compose_review(cx: Context, args: { user: string; title: string; text: string; rating: number }) {
    const name = cx.uuid();
    const user = cx.call(movie_user, args.user).id({});
    const about = cx.call(movie, args.title).id({});
    const written = cx.call(review, name);
    written.by({ user });
    written.about({ movie: about });
    written.says({ text: args.text });
    written.rates({ rating: args.rating });
    return written.compose({});
  },
});

const blank: Review = { user: null, movie: null, text: "", rating: null, composed_at: null };

/** A review. Its parts come one by one; once it is composed, it does not change. */
export const review = entity(blank, {
  /** Who writes it. */
  by(cx: Context<Review>, { user }: { user: string }) {
    checkOpen(cx.state);
    cx.state.user = user;
  },

  /** Of which movie. */
  about(cx: Context<Review>, args: { movie: string }) {
    checkOpen(cx.state);
    cx.state.movie = args.movie;
  },

  /** What it says. */
  says(cx: Context<Review>, { text }: { text: string }) {
    checkOpen(cx.state);
    const long = characters(text);
    if (long > TEXT_MAX) reject("text_too_long", `the text has ${long} characters, more than ${TEXT_MAX}`);
    cx.state.text = text;
  },

  /** How good the movie is. */
  rates(cx: Context<Review>, { rating }: { rating: number }) {
    checkOpen(cx.state);
    if (!Number.isInteger(rating) || rating < 0 || rating > RATING_MAX) {
      reject("bad_rating", `a movie is rated from 0 to ${RATING_MAX}, not ${rating}`);
    }
    cx.state.rating = rating;
  },

  /** Makes it a review: from now on it is in its author's list and in its movie's. Gives its name. */
  compose(cx: Context<Review>) {
    const { user, movie: about, rating } = cx.state;
    checkOpen(cx.state);
    if (user === null || about === null || rating === null) {
      reject("incomplete", "the review has no author, no movie or no rating");
    }
    cx.state.composed_at = cx.now();
    cx.call(user_reviews, user).append({ review: cx.key });
    cx.call(movie_reviews, about).append({ review: cx.key, rating });
    return cx.key;
  },

  /** All of it. */
  details: query((cx: QueryContext<Review>) => cx.state),

  /** All but its text; null if it is not composed. */
  heading: query((cx: QueryContext<Review>) => {
    const { user, movie: about, rating, composed_at } = cx.state;
    if (composed_at === null) return null;
    return { user, movie: about, rating, composed_at };
  }),
});

/** What one user wrote. A review is a field, named by its number: to append one writes that one alone. */
export const user_reviews = entity({ reviews: 0 } as UserReviews, {
  /** One review more; gives its number. */
  append(cx: Context<UserReviews>, args: { review: string }) {
    const number = (cx.state.reviews += 1);
    cx.field(fieldOf(number)).put(args.review);
    return number;
  },

  /** How many there are. */
  count: query((cx: QueryContext<UserReviews>) => cx.state.reviews),

  /** Reviews in the order in which they were written, at most so many, those after that number. */
  page: query((cx: QueryContext<UserReviews>, { after }: { after: number }) => page(cx, after)),
});

/** What was written about one movie, and its ratings added up. */
export const movie_reviews = entity({ reviews: 0, ratings: 0 } as MovieReviews, {
  /** One review more; gives its number. */
  append(cx: Context<MovieReviews>, args: { review: string; rating: number }) {
    const number = (cx.state.reviews += 1);
    cx.state.ratings += args.rating;
    cx.field(fieldOf(number)).put(args.review);
    return number;
  },

  /** How good the movie is. */
  stars: query((cx: QueryContext<MovieReviews>) => cx.state),

  /** Reviews in the order in which they were written, at most so many, those after that number. */
  page: query((cx: QueryContext<MovieReviews>, { after }: { after: number }) => page(cx, after)),
});

function page(cx: QueryContext, after: number) {
  return cx.scan({ prefix: REVIEWS, from: fieldOf(after + 1), limit: PAGE_MAX }).map(([, name]) => name);
}

/** Padded, so that names are in the order of their numbers. */
function fieldOf(number: number) {
  return REVIEWS + String(number).padStart(12, "0");
}

function checkOpen(state: Review) {
  if (state.composed_at !== null) reject("composed", "the review was composed already");
}

/** Characters as people count them, which `length` does not. */
function characters(text: string) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
