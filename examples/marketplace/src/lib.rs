//! An online marketplace: customers fill carts with the products of many sellers and check out; the
//! order reserves stock, is paid, shipped and delivered.
//!
//! ```text
//!   cart ──checkout──► order ──reserve──────────────────► stock        (each line)
//!    ▲                   │ ──invoiced─────────────────────► seller      (each seller)
//!    │                   │ ──process──► payment ──confirm─► stock        (each line)
//!    │                   │                │ ──paid───────► customer, seller
//!    │ price_changed     │ ◄────paid──────┘
//!    │ (sends)           │ ──create──► shipment ──shipped─► seller
//! product ──replace──► stock  ◄──shipped──┘ │
//!                        ▲ ◄──delivered──────┤ ──delivered─► customer, seller
//! ```
//!
//! A checkout is one transaction over all of these, written as plain calls: `cart` calls `order`, which
//! calls `payment`, which comes back into `order`. No step of it is ever seen half done, and nothing
//! has to be compensated. After the Online Marketplace benchmark of Laigner, Zhou, Salles and Liu (2023).
//!
//! The files are best read in this order:
//!
//! - [`sale`]: the values that travel between entities
//! - [`Cart`], [`Product`], [`Stock`]: shopping
//! - [`Order`], [`Payment`], [`Shipment`]: a checkout and what follows it
//! - [`Customer`], [`Seller`]: what it comes to for either side

mod cart;
mod customer;
mod order;
mod payment;
mod product;
pub mod sale;
mod seller;
mod shipment;
mod stock;

pub use cart::{Cart, ITEMS_MAX, Wish};
pub use customer::Customer;
pub use order::{Order, OrderDetails, Receipt, ShippedBy, Status};
pub use payment::{Card, Payment, PaymentStatus};
pub use product::{Offer, Product};
pub use seller::{Dashboard, OpenOrder, Progress, Seller};
pub use shipment::{Consignment, DEPOTS, Package, Shipment, depot, depot_of};
pub use stock::{Reserved, Stock};

use ordain::prelude::*;

/// What there is to call: eight entity types.
pub fn entities() -> Entities {
    entities![
        Cart, Product, Stock, Order, Payment, Shipment, Customer, Seller
    ]
}

// Built for WebAssembly, the crate is a module to deploy.
ordain::export!(entities());
