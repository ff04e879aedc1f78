//! The small macros: saying no, and listing entity types.

/// Rejects, unless the condition holds: `ensure!(condition, "code", "message {}", …)`.
///
/// ```
/// # use ordain::prelude::*;
/// fn check(stock: u32, wanted: u32) -> Result<()> {
///     ensure!(wanted <= stock, "out_of_stock", "{wanted} wanted, {stock} in stock");
///     Ok(())
/// }
/// assert_eq!(check(1, 2).unwrap_err().to_string(), "out_of_stock: 2 wanted, 1 in stock");
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $code:expr, $($message:tt)+) => {
        if !$condition {
            $crate::reject!($code, $($message)+);
        }
    };
}

/// Rejects: `reject!("code", "message {}", …)`. Returns from the function it stands in.
///
/// ```
/// # use ordain::prelude::*;
/// fn pay(method: &str) -> Result<()> {
///     match method {
///         "card" => Ok(()),
///         other => reject!("unknown_payment", "no payment by {other}"),
///     }
/// }
/// assert_eq!(pay("shells").unwrap_err().code, "unknown_payment");
/// ```
#[macro_export]
macro_rules! reject {
    ($code:expr, $($message:tt)+) => {
        return ::core::result::Result::Err($crate::Rejection::new(
            $code,
            ::std::format!($($message)+),
        ))
    };
}

/// A list of entity types: `entities![Account, Bank]` is
/// `Entities::new().with::<Account>().with::<Bank>()`.
#[macro_export]
macro_rules! entities {
    ($($entity:ty),* $(,)?) => {
        $crate::Entities::new()$(.with::<$entity>())*
    };
}
