//! Two things that must be the same, and what is said when they are not. What is found comes first,
//! what was expected second.

use std::any::Any;
use std::fmt;

use crate::dump::{Dump, first_difference, short};

/// Where what was found parts from what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What was compared.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

/// Whether all is as expected.
pub type Same = Result<(), Difference>;

impl Difference {
    /// A difference that is told rather than shown.
    pub fn new(
        what: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            what: short(&what.into()),
            found: short(&found.into()),
            expected: short(&expected.into()),
        }
    }

    /// A panic where there must be none: a broken invariant, of what is simulated or of the simulation.
    pub fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("says nothing");
        Self::new("a panic outside of any method", text, "goes on")
    }
}

/// Compares two values.
pub fn same<T: PartialEq + fmt::Debug>(
    what: impl FnOnce() -> String,
    found: &T,
    expected: &T,
) -> Same {
    match found == expected {
        true => Ok(()),
        false => Err(Difference::new(
            what(),
            format!("{found:?}"),
            format!("{expected:?}"),
        )),
    }
}

/// Compares two whole states.
pub fn same_state(what: &str, found: &Dump, expected: &Dump) -> Same {
    match first_difference(found, expected) {
        None => Ok(()),
        Some((found, expected)) => Err(Difference::new(what, found, expected)),
    }
}

/// Says what must hold.
pub fn holds(holds: bool, difference: impl FnOnce() -> Difference) -> Same {
    match holds {
        true => Ok(()),
        false => Err(difference()),
    }
}
