//! What a traveler reserved: `itinerary/alice` is that of `traveler/alice`.

use std::ops::Bound;

use ordain::prelude::*;

/// The most orders of one page.
pub const PAGE_MAX: usize = 1_000;
/// Fields named after this hold the orders.
const ORDERS: &str = "order/";

/// A traveler's orders. They are fields beside this state, each under the name of its reservation.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Itinerary {
    /// How many there are.
    pub orders: u64,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Where a room is reserved.
    pub hotel: Key,
    /// On which a seat is.
    pub flight: Key,
    /// When the order was placed.
    pub placed_at: Timestamp,
}

#[entity]
impl Itinerary {
    /// Places the order of a reservation.
    pub fn place(
        cx: &mut Context<Self>,
        reservation: String,
        hotel: Key,
        flight: Key,
    ) -> Result<()> {
        let placed_at = cx.now();
        let mut field = cx.field(&format!("{ORDERS}{reservation}"));
        ensure!(
            field.get::<Order>()?.is_none(),
            "placed",
            "the order of {reservation} was placed already"
        );
        field.put(&Order {
            hotel,
            flight,
            placed_at,
        });
        cx.state_mut().orders += 1;
        Ok(())
    }

    /// How many orders there are.
    #[query]
    pub fn count(&self) -> Result<u64> {
        Ok(self.orders)
    }

    /// Orders by the names of their reservations, at most [`PAGE_MAX`], those after the one named.
    #[query]
    pub fn page(
        cx: &mut QueryContext<Self>,
        after: Option<String>,
    ) -> Result<Vec<(String, Order)>> {
        let after = after.map(|name| format!("{ORDERS}{name}"));
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let fields = cx.fields().prefix(ORDERS).limit(PAGE_MAX);
        let orders = fields.range::<&str>((from, Bound::Unbounded)).read()?;
        let name = |(field, order): (String, Order)| (field[ORDERS.len()..].to_owned(), order);
        Ok(orders.into_iter().map(name).collect())
    }
}
