//! Movie reviews: each that was composed is in its author's list and in its movie's, once.

use std::sync::Arc;

use hashbrown::HashMap;
use ordain::Key;
use ordain_example_movie::{
    Composer, Heading, Movie, MovieReviews, MovieUser, PAGE_MAX, RATING_MAX, Review, Stars,
    TEXT_MAX, UserReviews,
};
use rand::RngExt;

use super::rest::pages;
use super::told::Told;
use super::violations::Violations;
use super::{Loading, Source, Task, Workload, keys, letters};
use crate::answer::{Answer, ask};
use crate::choose::{Chance, Chooser, Spread, chance};
use crate::door::{self, Door};

/// Users, movies, and what is written about them.
pub struct Reviews(Arc<Shared>);

struct Shared {
    chooser: Chooser,
    /// Names, and the ids that they have.
    users: Vec<Key>,
    user_ids: Vec<Key>,
    /// Titles, and the ids that they have.
    titles: Vec<Key>,
    movie_ids: Vec<Key>,
    /// Texts are parts of it.
    text: String,
    told: Told,
}

impl Reviews {
    /// So many of each; `spread` chooses movies.
    pub fn new(users: usize, movies: usize, spread: Spread) -> Self {
        let (users, movies) = (users.max(1), movies.max(1));
        Self(Arc::new(Shared {
            chooser: Chooser::new(movies, spread),
            users: keys("name", users),
            user_ids: keys("u", users),
            titles: keys("title", movies),
            movie_ids: keys("m", movies),
            text: letters(2 * TEXT_MAX),
            told: Told::default(),
        }))
    }
}

impl Workload for Reviews {
    fn name(&self) -> &'static str {
        "movie"
    }

    fn about(&self) -> String {
        let Shared {
            chooser,
            users,
            titles,
            ..
        } = &*self.0;
        let (users, movies, spread) = (users.len(), titles.len(), chooser.spread());
        format!("{users} users, {movies} movies, {spread}, texts of {TEXT_MAX} characters")
    }

    fn load(&self) -> Loading<'_> {
        let users = self.0.users.iter().zip(&self.0.user_ids);
        let movies = self.0.titles.iter().zip(&self.0.movie_ids);
        let register = |(name, id): (&Key, &Key)| ask(MovieUser::at(name).register(id.clone()));
        let release = |(title, id): (&Key, &Key)| ask(Movie::at(title).release(id.clone()));
        let asks: Vec<_> = users.map(register).chain(movies.map(release)).collect();
        Box::new(asks.into_iter())
    }

    fn source(&self, slot: usize, _of: usize, seed: u64) -> Box<dyn Source> {
        Box::new(Writing {
            movies: self.0.chooser.clone(),
            chance: chance(seed, slot),
            shared: self.0.clone(),
        })
    }

    fn check(&self, door: &mut dyn Door) -> anyhow::Result<Vec<String>> {
        let found = self.lists(door)?;
        let mut violations = Violations::default();
        for (name, places) in &found {
            violations.unless(places.once(), "a review not once in both lists", || {
                format!("{}: {places:?}", text_of(*name))
            });
        }
        self.check_headings(door, &found, &mut violations)?;
        let mut lines = violations.into_lines();
        lines.extend(self.0.told.violation("reviews", found.len() as u64));
        Ok(lines)
    }
}

/// Where a review was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Places {
    user: usize,
    of_users: u32,
    movie: usize,
    of_movies: u32,
}

impl Places {
    fn once(&self) -> bool {
        (self.of_users, self.of_movies) == (1, 1)
    }
}

/// Every review in any list, by its name as a number: there are many.
type Found = HashMap<u128, Places>;

impl Reviews {
    fn lists(&self, door: &mut dyn Door) -> anyhow::Result<Found> {
        let mut found = Found::new();
        let mut bad = None;
        let mut note = |name: &Key, into: &dyn Fn(&mut Places)| match number_of(name) {
            Some(number) => into(found.entry(number).or_default()),
            None => bad = Some(name.clone()),
        };
        let after = |key: &Key, read, _: Option<&Key>| UserReviews::at(key).page(read);
        pages(door, &self.0.user_ids, PAGE_MAX, after, |user, name| {
            note(name, &|places| {
                places.user = user;
                places.of_users += 1;
            });
        })?;
        let after = |key: &Key, read, _: Option<&Key>| MovieReviews::at(key).page(read);
        pages(door, &self.0.movie_ids, PAGE_MAX, after, |movie, name| {
            note(name, &|places| {
                places.movie = movie;
                places.of_movies += 1;
            });
        })?;
        match bad {
            None => Ok(found),
            Some(name) => anyhow::bail!("`{name}` is no review's name"),
        }
    }

    /// Every review says of itself what the lists say of it, and ratings add up.
    fn check_headings(
        &self,
        door: &mut dyn Door,
        found: &Found,
        violations: &mut Violations,
    ) -> anyhow::Result<()> {
        let Shared {
            user_ids,
            movie_ids,
            ..
        } = &*self.0;
        let mut expected = vec![(0, 0); movie_ids.len()];
        let names: Vec<u128> = found.keys().copied().collect();
        let requests = names
            .iter()
            .map(|name| Review::at(text_of(*name).as_str()).heading());
        door::values(door, requests, |at, heading: Option<Heading>| {
            let places = &found[&names[at]];
            let fits = heading.as_ref().is_some_and(|heading| {
                heading.user == user_ids[places.user] && heading.movie == movie_ids[places.movie]
            });
            violations.unless(fits, "a review in another's list", || {
                format!("{}: {heading:?}, {places:?}", text_of(names[at]))
            });
            let (reviews, ratings) = &mut expected[places.movie];
            *reviews += 1;
            *ratings += u64::from(heading.map_or(0, |heading| heading.rating));
        })?;
        let requests = movie_ids.iter().map(|key| MovieReviews::at(key).stars());
        door::values(door, requests, |at, stars: Stars| {
            let (reviews, ratings) = expected[at];
            let adds_up = stars == Stars { reviews, ratings };
            violations.unless(adds_up, "a movie's stars unlike its reviews", || {
                format!("{}: {stars:?}, not {:?}", movie_ids[at], expected[at])
            });
        })
    }
}

/// The digits of a UUID.
fn number_of(name: &Key) -> Option<u128> {
    let digits: String = name.as_str().split('-').collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    (text_of(number) == name.as_str()).then_some(number)
}

fn text_of(number: u128) -> String {
    let digits = format!("{number:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    parts.join("-")
}

struct Writing {
    shared: Arc<Shared>,
    movies: Chooser,
    chance: Chance,
}

impl Source for Writing {
    fn next(&mut self) -> Task {
        let Shared { users, titles, .. } = &*self.shared;
        let user = &users[self.chance.random_range(0..users.len())];
        let title = &titles[self.movies.choose(&mut self.chance)];
        let from = self.chance.random_range(0..TEXT_MAX);
        let text = self.shared.text[from..from + TEXT_MAX].to_owned();
        let rating = self.chance.random_range(0..=RATING_MAX);
        let composer = Composer::at(user);
        Task {
            kind: "compose_review",
            prepare: None,
            ask: ask(composer.compose_review(user.clone(), title.clone(), text, rating)),
        }
    }

    fn ended(&mut self, answer: &Answer) {
        self.shared.told.ended(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_and_back() {
        let text = "0190a1b2-c3d4-7e5f-8001-00000000002a";
        let name = Key::new(text).expect("a key");
        assert_eq!(number_of(&name).map(text_of).as_deref(), Some(text));
        for other in ["", "r1", "0190a1b2c3d47e5f800100000000002a", "-"] {
            assert_eq!(Key::new(other).ok().as_ref().and_then(number_of), None);
        }
    }

    #[test]
    fn once_is_once_in_each() {
        let places = |of_users, of_movies| Places {
            of_users,
            of_movies,
            ..Places::default()
        };
        assert!(places(1, 1).once());
        assert!(!places(1, 0).once() && !places(0, 1).once() && !places(2, 1).once());
    }
}
