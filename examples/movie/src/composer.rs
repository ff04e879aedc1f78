//! What a client calls to write a review: `composer/main`, or any other key.

use ordain::prelude::*;

use crate::{Movie, MovieUser, Review};

/// It has no state: it acts on others.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Composer;

#[entity]
impl Composer {
    /// Writes a review; gives its name, by which it is found as `review/…`.
    ///
    /// Ten calls, this one counted, and one transaction: a text that is too long is refused after
    /// others were called, and nothing of it remains.
    pub fn compose_review(
        cx: &mut Context,
        user: Key,
        title: Key,
        text: String,
        rating: u32,
    ) -> Result<Key> {
        let name = cx.uuid();
        let user = cx.entity::<MovieUser>(&user).id()?;
        let movie = cx.entity::<Movie>(&title).id()?;
        let mut review = cx.entity::<Review>(&name);
        review.by(user)?;
        review.about(movie)?;
        review.says(text)?;
        review.rates(rating)?;
        review.compose()
    }
}
