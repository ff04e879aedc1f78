// Retwis, the small social network that databases are shown with: users follow others, write short posts,
// and read a timeline of what those they follow wrote last. The same as examples/retwis in Rust, method by
// method.
//
// A timeline is a query over everyone who is followed, merged when it is asked for. All of it is from one
// moment.

import { entity, query, reject, type Context, type QueryContext } from "ordain";

/** Characters of a post. */
const TEXT_MAX = 140;
/** The most users that one follows. */
const FOLLOWED_MAX = 1_000;
/** Posts of a timeline. */
const TIMELINE = 10;
/** The most posts of one page. */
const PAGE_MAX = 1_000;
/** Fields named after this hold the posts. */
const POSTS = "post/";

type User = { followed: string[]; posts: number };
type Post = { number: number; at: number; text: string };
type Entry = { author: string; post: Post };

/** A user. Posts are fields beside the state, so that writing one does not write whom the user follows. */
export const retwis_user = entity({ followed: [], posts: 0 } as User, {
  /** Follows these too; gives how many the user follows then. */
  follow(cx: Context<User>, { users }: { users: string[] }) {
    const { followed } = cx.state;
    for (const user of users) if (!followed.includes(user)) followed.push(user);
    if (followed.length > FOLLOWED_MAX) reject("too_many", `a user follows at most ${FOLLOWED_MAX} others`);
    return followed.length;
  },

  /** Follows that one no more; gives how many the user follows then. */
  unfollow(cx: Context<User>, { user }: { user: string }) {
    const at = cx.state.followed.indexOf(user);
    if (at >= 0) cx.state.followed.splice(at, 1);
    return cx.state.followed.length;
  },

  /** Writes a post; gives its number. */
  post(cx: Context<User>, { text }: { text: string }) {
    const long = characters(text);
    if (long < 1 || long > TEXT_MAX) reject("bad_text", `a post has 1 to ${TEXT_MAX} characters, not ${long}`);
    const number = (cx.state.posts += 1);
    const post: Post = { number, at: cx.now(), text };
    cx.field(fieldOf(number)).put(post);
    return number;
  },

  /** The last posts of those the user follows, the latest first. */
  timeline: query((cx: QueryContext<User>) => {
    const entries: Entry[] = [];
    for (const author of cx.state.followed) {
      for (const post of cx.call("retwis_user", author).last_posts({})) entries.push({ author, post });
    }
    entries.sort(latestFirst);
    return entries.slice(0, TIMELINE);
  }),

  /** The user's own last posts, the latest first. */
  last_posts: query((cx: QueryContext<User>) =>
    cx.scan({ prefix: POSTS, reverse: true, limit: TIMELINE }).map(([, post]) => post)),

  /** Whom the user follows, and how much the user wrote. */
  details: query((cx: QueryContext<User>) => cx.state),

  /** The user's own posts in the order in which they were written, at most so many, those after that number. */
  page: query((cx: QueryContext<User>, { after }: { after: number }) =>
    cx.scan({ prefix: POSTS, from: fieldOf(after + 1), limit: PAGE_MAX }).map(([, post]) => post)),
});

/** Posts of one moment have an order too: by their authors and numbers. */
function latestFirst(a: Entry, b: Entry) {
  if (a.post.at !== b.post.at) return b.post.at - a.post.at;
  if (a.author !== b.author) return a.author < b.author ? 1 : -1;
  return b.post.number - a.post.number;
}

/** Padded, so that names are in the order of their numbers. */
function fieldOf(number: number) {
  return POSTS + String(number).padStart(12, "0");
}

/** Characters as people count them, which `length` does not. */
function characters(text: string) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
