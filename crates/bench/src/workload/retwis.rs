//! Retwis: timelines and posts. Each post that was acknowledged is there once, and timelines show the latest
//! of those who are followed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ordain::Key;
use ordain_example_retwis::{Entry, PAGE_MAX, Post, TEXT_MAX, TIMELINE, User};
use rand::RngExt;

use super::rest::pages;
use super::told::Told;
use super::violations::Violations;
use super::{Loading, Source, Task, Workload, keys, letters};
use crate::answer::{Answer, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// How many others each user follows.
const FOLLOWED: usize = 50;

/// Users, and whom they follow.
pub struct Retwis(Arc<Shared>);

struct Shared {
    chooser: Chooser,
    users: Vec<Key>,
    /// Whom each user follows, by their places among the users, in order.
    followed: Vec<Vec<usize>>,
    /// Texts are parts of it.
    text: String,
    told: Told,
    /// Timelines that were not what they must be.
    odd: AtomicU64,
}

impl Retwis {
    /// So many; `spread` chooses who posts and who reads.
    pub fn new(users: usize, spread: Spread) -> Self {
        let users = users.max(2);
        let uniform = Chooser::new(users, Spread::Uniform);
        let followed = |user| {
            // The same in every run: data is not what a seed is for.
            let mut chance = chance(0, user);
            let count = FOLLOWED.min(users - 1);
            let mut followed = uniform.choose_distinct(&mut chance, count, &[user]);
            followed.sort_unstable();
            followed
        };
        Self(Arc::new(Shared {
            chooser: Chooser::new(users, spread),
            followed: (0..users).map(followed).collect(),
            users: keys("u", users),
            text: letters(2 * TEXT_MAX),
            told: Told::default(),
            odd: AtomicU64::new(0),
        }))
    }
}

impl Workload for Retwis {
    fn name(&self) -> &'static str {
        "retwis"
    }

    fn about(&self) -> String {
        let Shared {
            users,
            followed,
            chooser,
            ..
        } = &*self.0;
        let (users, each, spread) = (users.len(), followed[0].len(), chooser.spread());
        format!("{users} users who follow {each} each, {spread}, posts of {TEXT_MAX} characters")
    }

    /// Whom each user follows, and a first post of each, so that every timeline has something to show.
    fn load(&self) -> Loading<'_> {
        let Shared {
            users, followed, ..
        } = &*self.0;
        let follow = |(user, followed): (&Key, &Vec<usize>)| {
            let followed = followed.iter().map(|&at| users[at].clone());
            ask(User::at(user).follow(followed.collect()))
        };
        let post = |user| ask(User::at(user).post("x".repeat(TEXT_MAX)));
        let asks = users.iter().zip(followed).map(follow);
        let asks: Vec<_> = asks.chain(users.iter().map(post)).collect();
        Box::new(asks.into_iter())
    }

    /// A user follows as many as it was told to, or has written a first post.
    fn loaded(&self, answer: &Answer) -> bool {
        let value = answer.value::<usize>();
        value.is_ok_and(|value| value == 1 || value == self.0.followed[0].len())
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Using {
            users: self.0.chooser.clone(),
            chance: chance(seed, slot),
            shared: self.0.clone(),
            pending: Pending::Post,
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let Shared {
            users, followed, ..
        } = &*self.0;
        let mut violations = Violations::default();
        let mut written = vec![Written::default(); users.len()];
        let after = |key: &Key, read, _: Option<&Post>| User::at(key).page(read);
        pages(door, users, PAGE_MAX, after, |at, post: &Post| {
            written[at].add(post);
        })?;
        let requests = users.iter().map(|key| User::at(key).details());
        door::values(door, requests, |at, user: User| {
            let written = &written[at];
            let gapless = !written.odd && user.posts == written.posts;
            violations.unless(gapless, "posts with a gap", || {
                format!(
                    "{}: {} posts, {} found",
                    users[at], user.posts, written.posts
                )
            });
            let same = user
                .followed
                .iter()
                .eq(followed[at].iter().map(|&at| &users[at]));
            violations.unless(same, "a user who follows others", || users[at].to_string());
        })?;
        let requests = users.iter().map(|key| User::at(key).timeline());
        door::values(door, requests, |at, timeline: Vec<Entry>| {
            let same = timeline == self.0.timeline(at, &written);
            violations.unless(same, "a timeline unlike the posts", || {
                users[at].to_string()
            });
        })?;
        let posts: u64 = written.iter().map(|written| written.posts).sum();
        let mut lines = violations.into_lines();
        let since = posts.saturating_sub(users.len() as u64);
        lines.extend(self.0.told.violation("posts", since));
        let odd = self.0.odd.load(Ordering::Relaxed);
        if odd > 0 {
            lines.push(format!("{odd} timelines were out of order or of others"));
        }
        Ok(lines)
    }
}

/// What one user wrote.
#[derive(Debug, Default, Clone)]
struct Written {
    posts: u64,
    /// Whether a number was not the next.
    odd: bool,
    last: VecDeque<Post>,
}

impl Written {
    fn add(&mut self, post: &Post) {
        self.posts += 1;
        self.odd |= post.number != self.posts;
        if self.last.len() == TIMELINE {
            self.last.pop_front();
        }
        self.last.push_back(post.clone());
    }
}

impl Shared {
    /// What the user's timeline must show.
    fn timeline(&self, user: usize, written: &[Written]) -> Vec<Entry> {
        let entries = |&at: &usize| {
            let author = self.users[at].clone();
            let entry = move |post: &Post| Entry {
                author: author.clone(),
                post: post.clone(),
            };
            written[at].last.iter().map(entry).collect::<Vec<_>>()
        };
        let mut all: Vec<Entry> = self.followed[user].iter().flat_map(entries).collect();
        all.sort_by(|a, b| order(b).cmp(&order(a)));
        all.truncate(TIMELINE);
        all
    }

    /// Whether it is in order, not too long, and of those whom the user follows.
    fn plausible(&self, user: usize, timeline: &[Entry]) -> bool {
        let ordered = timeline.is_sorted_by(|a, b| order(a) > order(b));
        let of_followed = timeline.iter().all(|entry| {
            let at = self.users.binary_search(&entry.author);
            at.is_ok_and(|at| self.followed[user].binary_search(&at).is_ok())
        });
        ordered && of_followed && (1..=TIMELINE).contains(&timeline.len())
    }
}

fn order(Entry { author, post }: &Entry) -> (ordain::Timestamp, &Key, u64) {
    (post.at, author, post.number)
}

/// What is in flight.
#[derive(Clone, Copy)]
enum Pending {
    Post,
    Timeline { user: usize },
}

struct Using {
    shared: Arc<Shared>,
    users: Chooser,
    chance: Chance,
    pending: Pending,
}

impl Source for Using {
    fn next(&mut self) -> Task {
        let user = self.users.choose(&mut self.chance);
        let at = User::at(&self.shared.users[user]);
        let (kind, ask, pending) = match self.chance.random_range(0..10) {
            0 => {
                let from = self.chance.random_range(0..TEXT_MAX);
                let text = self.shared.text[from..from + TEXT_MAX].to_owned();
                ("post", ask(at.post(text)), Pending::Post)
            }
            _ => ("timeline", ask(at.timeline()), Pending::Timeline { user }),
        };
        self.pending = pending;
        Task {
            kind,
            prepare: None,
            ask,
        }
    }

    fn ended(&mut self, answer: &Answer) {
        match (self.pending, answer) {
            (Pending::Post, _) => self.shared.told.ended(answer),
            (Pending::Timeline { user }, Answer::Value(_)) => {
                let timeline = answer.value::<Vec<Entry>>();
                if !timeline.is_ok_and(|timeline| self.shared.plausible(user, &timeline)) {
                    self.shared.odd.fetch_add(1, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Keys;
    use ordain::Timestamp;

    fn entry(author: usize, at: u64) -> Entry {
        let post = Post {
            number: 1,
            at: Timestamp(at),
            text: "x".into(),
        };
        let author = Keys::new("u", author).get(author - 1);
        Entry { author, post }
    }

    #[test]
    fn odd_timelines_are_seen() {
        // Of three users, each follows both others.
        let retwis = Retwis::new(3, Spread::Uniform);
        let plausible = |timeline: &[Entry]| retwis.0.plausible(0, timeline);
        assert!(plausible(&[entry(2, 9), entry(3, 8)]));
        assert!(!plausible(&[]), "everyone wrote something");
        assert!(
            !plausible(&[entry(2, 8), entry(3, 9)]),
            "the latest is first"
        );
        assert!(!plausible(&[entry(1, 9)]), "nobody follows themselves");
        assert!(!plausible(&[entry(2, 9), entry(2, 9)]), "twice the same");
    }

    #[test]
    fn a_gap_in_the_posts_is_seen() {
        let mut written = Written::default();
        let post = |number| Post {
            number,
            ..entry(1, 1).post
        };
        (1..=20).for_each(|number| written.add(&post(number)));
        assert_eq!(
            (written.posts, written.odd, written.last.len()),
            (20, false, TIMELINE)
        );
        written.add(&post(22));
        assert!(written.odd);
    }
}
