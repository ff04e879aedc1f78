//! Where reviews are found: `user_reviews/…` and `movie_reviews/…`, by the ids of users and movies. A
//! review is a field, named by its number: to append one writes that one alone, however long the list is.

use std::ops::Bound;

use ordain::prelude::*;

/// The most reviews of one page.
pub const PAGE_MAX: usize = 1_000;
/// Fields named after this hold the reviews.
const REVIEWS: &str = "review/";

/// What one user wrote.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserReviews {
    /// How many reviews; they are numbered from 1.
    pub reviews: u64,
}

#[entity]
impl UserReviews {
    /// One review more; gives its number.
    pub fn append(cx: &mut Context<Self>, review: Key) -> Result<u64> {
        let list = cx.state_mut();
        list.reviews += 1;
        let number = list.reviews;
        cx.field(&field(number)).put(&review);
        Ok(number)
    }

    /// How many there are.
    #[query]
    pub fn count(&self) -> Result<u64> {
        Ok(self.reviews)
    }

    /// Reviews in the order in which they were written, at most [`PAGE_MAX`], those after that number.
    #[query]
    pub fn page(cx: &mut QueryContext<Self>, after: u64) -> Result<Vec<Key>> {
        page(cx, after)
    }
}

/// What was written about one movie.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovieReviews {
    /// How many reviews; they are numbered from 1.
    pub reviews: u64,
    /// Their ratings, added up.
    pub ratings: u64,
}

/// How good a movie is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stars {
    /// How many reviews there are.
    pub reviews: u64,
    /// Their ratings, added up.
    pub ratings: u64,
}

#[entity]
impl MovieReviews {
    /// One review more; gives its number.
    pub fn append(cx: &mut Context<Self>, review: Key, rating: u32) -> Result<u64> {
        let list = cx.state_mut();
        list.reviews += 1;
        list.ratings += u64::from(rating);
        let number = list.reviews;
        cx.field(&field(number)).put(&review);
        Ok(number)
    }

    /// How good the movie is.
    #[query]
    pub fn stars(&self) -> Result<Stars> {
        Ok(Stars {
            reviews: self.reviews,
            ratings: self.ratings,
        })
    }

    /// Reviews in the order in which they were written, at most [`PAGE_MAX`], those after that number.
    #[query]
    pub fn page(cx: &mut QueryContext<Self>, after: u64) -> Result<Vec<Key>> {
        page(cx, after)
    }
}

fn page<S>(cx: &mut QueryContext<S>, after: u64) -> Result<Vec<Key>> {
    let from = Bound::Excluded(field(after));
    let fields = cx.fields().prefix(REVIEWS).limit(PAGE_MAX);
    let reviews = fields.range((from, Bound::Unbounded)).read()?;
    Ok(reviews.into_iter().map(|(_, review)| review).collect())
}

/// Padded, so that their keys are in the order of their numbers.
fn field(number: u64) -> String {
    format!("{REVIEWS}{number:012}")
}
