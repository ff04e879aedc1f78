//! Types of arguments whose JSON reads back as what was written: a request with such arguments need
//! not be read by the node it is made for.

use std::marker::PhantomData;

use ordain_types::{EntityId, Key};

/// A value of this type is written as JSON and read back as the same value, whatever it is. Floating
/// point numbers are not: reading them rounds.
pub trait Plain {}

macro_rules! plain {
    ($($ty:ty)*) => { $(impl Plain for $ty {})* };
}

plain!(bool i8 i16 i32 i64 u8 u16 u32 u64 isize usize String Key EntityId);

impl<T: Plain> Plain for Vec<T> {}
impl<T: Plain> Plain for Box<T> {}

/// Asks whether a type is [`Plain`], where the macro knows the type: method lookup tries [`ByPlain`]
/// first, since it needs one reference less than [`NotPlain`].
pub struct Plainly<T>(PhantomData<fn() -> T>);

impl<T> Plainly<T> {
    /// The question.
    #[expect(clippy::new_without_default, reason = "only the macro asks")]
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

/// The answer for a type that is.
pub trait ByPlain {
    /// Yes.
    fn plain(&self) -> bool;
}

/// The answer for any other.
pub trait NotPlain {
    /// No.
    fn plain(&self) -> bool;
}

impl<T: Plain> ByPlain for Plainly<T> {
    fn plain(&self) -> bool {
        true
    }
}

impl<T> NotPlain for &Plainly<T> {
    fn plain(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_back_is_plain() {
        assert!(Plainly::<i64>::new().plain());
        assert!(Plainly::<Vec<Key>>::new().plain());
        assert!(!(&Plainly::<f64>::new()).plain());
        assert!(!(&Plainly::<Vec<f32>>::new()).plain());
        assert!(!(&Plainly::<serde_json::Value>::new()).plain());
    }
}
