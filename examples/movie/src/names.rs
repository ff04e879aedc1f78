//! What is looked up by its name: `movie_user/alice` and `movie/metropolis` know their ids, which do not
//! change when a name does.

use ordain::prelude::*;

/// Somebody who writes reviews.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovieUser {
    /// None before the name is registered.
    pub id: Option<Key>,
}

#[entity]
impl MovieUser {
    /// Takes the name, once.
    pub fn register(&mut self, id: Key) -> Result<()> {
        ensure!(self.id.is_none(), "registered", "the name is taken");
        self.id = Some(id);
        Ok(())
    }

    /// Whose name it is.
    #[query]
    pub fn id(&self) -> Result<Key> {
        match &self.id {
            Some(id) => Ok(id.clone()),
            None => reject!("no_user", "nobody has this name"),
        }
    }
}

/// A movie, by its title.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movie {
    /// None before it is released.
    pub id: Option<Key>,
}

#[entity]
impl Movie {
    /// Takes the title, once.
    pub fn release(&mut self, id: Key) -> Result<()> {
        ensure!(
            self.id.is_none(),
            "released",
            "there is a movie of this title"
        );
        self.id = Some(id);
        Ok(())
    }

    /// Which movie it is.
    #[query]
    pub fn id(&self) -> Result<Key> {
        match &self.id {
            Some(id) => Ok(id.clone()),
            None => reject!("no_movie", "there is no movie of this title"),
        }
    }
}
