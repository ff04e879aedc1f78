//! A review: `review/0190a1b2-…`. Its parts come one by one; once it is composed, it does not change.

use ordain::prelude::*;

use crate::{MovieReviews, UserReviews};

/// Characters of a text.
pub const TEXT_MAX: usize = 256;
/// The best rating; the worst is 0.
pub const RATING_MAX: u32 = 10;

/// A review.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who wrote it.
    pub user: Option<Key>,
    /// Of what.
    pub movie: Option<Key>,
    /// What it says.
    pub text: String,
    /// How good the movie is, from 0 to [`RATING_MAX`].
    pub rating: Option<u32>,
    /// When it was composed; none as long as parts are missing.
    pub composed_at: Option<Timestamp>,
}

/// A review without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// Who wrote it.
    pub user: Key,
    /// Of what.
    pub movie: Key,
    /// How good the movie is.
    pub rating: u32,
    /// When it was composed.
    pub composed_at: Timestamp,
}

#[entity]
impl Review {
    /// Who writes it.
    pub fn by(&mut self, user: Key) -> Result<()> {
        self.check_open()?;
        self.user = Some(user);
        Ok(())
    }

    /// Of which movie.
    pub fn about(&mut self, movie: Key) -> Result<()> {
        self.check_open()?;
        self.movie = Some(movie);
        Ok(())
    }

    /// What it says.
    pub fn says(&mut self, text: String) -> Result<()> {
        self.check_open()?;
        let long = text.chars().count();
        ensure!(
            long <= TEXT_MAX,
            "text_too_long",
            "the text has {long} characters, more than {TEXT_MAX}"
        );
        self.text = text;
        Ok(())
    }

    /// How good the movie is.
    pub fn rates(&mut self, rating: u32) -> Result<()> {
        self.check_open()?;
        ensure!(
            rating <= RATING_MAX,
            "bad_rating",
            "a movie is rated from 0 to {RATING_MAX}, not {rating}"
        );
        self.rating = Some(rating);
        Ok(())
    }

    /// Makes it a review: from now on it is in its author's list and in its movie's. Gives its name.
    pub fn compose(cx: &mut Context<Self>) -> Result<Key> {
        let (me, now) = (cx.key(), cx.now());
        let review = cx.state_mut();
        review.check_open()?;
        let (Some(user), Some(movie), Some(rating)) = (&review.user, &review.movie, review.rating)
        else {
            reject!(
                "incomplete",
                "the review has no author, no movie or no rating"
            );
        };
        let (user, movie) = (user.clone(), movie.clone());
        review.composed_at = Some(now);
        cx.entity::<UserReviews>(&user).append(me.clone())?;
        cx.entity::<MovieReviews>(&movie)
            .append(me.clone(), rating)?;
        Ok(me)
    }

    /// All of it.
    #[query]
    pub fn details(&self) -> Result<Review> {
        Ok(self.clone())
    }

    /// All but its text; none if it is not composed.
    #[query]
    pub fn heading(&self) -> Result<Option<Heading>> {
        let parts = (&self.user, &self.movie, self.rating, self.composed_at);
        let (Some(user), Some(movie), Some(rating), Some(composed_at)) = parts else {
            return Ok(None);
        };
        Ok(Some(Heading {
            user: user.clone(),
            movie: movie.clone(),
            rating,
            composed_at,
        }))
    }
}

impl Review {
    fn check_open(&self) -> Result<()> {
        ensure!(
            self.composed_at.is_none(),
            "composed",
            "the review was composed already"
        );
        Ok(())
    }
}
