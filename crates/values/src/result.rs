//! What a method returns, for the macro to take apart.

use ordain_types::Rejection;

/// What a method returns.
#[diagnostic::on_unimplemented(
    message = "a method returns `ordain::Result<T>`, not `{Self}`",
    label = "the error of this `Result` is not `ordain::Rejection`",
    note = "turn other errors into a rejection, as in \
            `.map_err(|error| Rejection::new(\"bad_date\", error.to_string()))`"
)]
pub trait MethodResult {
    /// Its value.
    type Value;
}

impl<T> MethodResult for Result<T, Rejection> {
    type Value = T;
}
