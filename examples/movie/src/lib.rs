//! Movie reviews: who saw a movie writes a review of it, which is then found with its author and with its
//! movie.
//!
//! ```text
//! composer ──id──► movie_user, movie          (who, and of what)
//!    │ ──by, about, says, rates──► review      (its parts)
//!    └ ──────────────────compose──► review ──append──► user_reviews
//!                                      └ ─────append──► movie_reviews
//! ```
//!
//! The media service of DeathStarBench (Gan et al., ASPLOS 2019). There each of these steps is a service, and
//! a review may be in one list and never in the other; here the ten calls are one transaction.
//!
//! - [`MovieUser`], [`Movie`]: by name
//! - [`Composer`], [`Review`]: writing
//! - [`UserReviews`], [`MovieReviews`]: finding

mod composer;
mod lists;
mod names;
mod review;

pub use composer::Composer;
pub use lists::{MovieReviews, PAGE_MAX, Stars, UserReviews};
pub use names::{Movie, MovieUser};
pub use review::{Heading, RATING_MAX, Review, TEXT_MAX};

use ordain::prelude::*;

/// What there is to call: six entity types.
pub fn entities() -> Entities {
    entities![
        MovieUser,
        Movie,
        Composer,
        Review,
        UserReviews,
        MovieReviews
    ]
}

// Built for WebAssembly, the crate is a module to deploy.
ordain::export!(entities());
