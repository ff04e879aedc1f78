//! A person, who was a name in version 1 and has a first and a last name in version 2. Built by
//! `.ci/components`.

use ordain::prelude::*;

ordain::export!(entities![Person]);

/// A person of version 2.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Person {
    /// Empty where the name has one part.
    pub first: String,
    /// The rest of it.
    pub last: String,
}

/// A person of version 1.
#[derive(Debug, Deserialize)]
pub struct Named {
    /// First and last name.
    pub name: String,
}

#[entity(version = 2, migrate = Person::of_name)]
impl Person {
    /// Gives another last name.
    pub fn marry(&mut self, last: String) -> Result<()> {
        self.last = last;
        Ok(())
    }

    /// Both names.
    #[query]
    pub fn names(&self) -> Result<(String, String)> {
        Ok((self.first.clone(), self.last.clone()))
    }
}

impl Person {
    fn of_name(old: Named, from: u32) -> Self {
        assert!(
            !old.name.is_empty(),
            "nobody has no name, in version {from}"
        );
        let (first, last) = old.name.rsplit_once(' ').unwrap_or(("", &old.name));
        Self {
            first: first.to_owned(),
            last: last.to_owned(),
        }
    }
}
