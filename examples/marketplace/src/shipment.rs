//! What is on its way. An entity is one depot with all its shipments (`shipment/depot-07`), so that the
//! oldest that are open are found by one ordered scan.

use ordain::prelude::*;

use crate::sale::{Line, Share};
use crate::{Customer, Order, Seller, ShippedBy};

/// How many depots there are.
pub const DEPOTS: u32 = 16;
/// How many open shipments one delivery round looks at.
const ROUND: usize = 10;

/// The depot of that number, below [`DEPOTS`].
pub fn depot(number: u32) -> String {
    format!("depot-{number:02}")
}

/// The depot that serves a customer: always the same one.
pub fn depot_of(customer: &Key) -> String {
    // FNV-1a. The standard library's hashers may change from one compiler to the next, and with them
    // what a replay does.
    let hash = customer
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    depot((hash % u64::from(DEPOTS)) as u32)
}

/// A depot. Its shipments are fields: `open/…` while something is on its way, `done/…` after.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// Shipments made; they are numbered from 1.
    pub shipments: u64,
    /// Of these, how many are open.
    pub open: u64,
    /// Packages delivered.
    pub delivered: u64,
}

/// The shipment of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consignment {
    /// The order.
    pub order: Key,
    /// Whose.
    pub customer: Key,
    /// One for each line of the order.
    pub packages: Vec<Package>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The seller that sends it.
    pub seller: Key,
    /// Whether it arrived.
    pub delivered: bool,
}

#[entity]
impl Shipment {
    /// Sends an order on its way, a package for each line; tells the sellers and the order.
    pub fn create(
        cx: &mut Context<Self>,
        order: Key,
        customer: Key,
        lines: Vec<Line>,
        shares: Vec<Share>,
    ) -> Result<u64> {
        let packages = lines.into_iter().map(|line| Package {
            seller: line.seller,
            delivered: false,
        });
        let packages = packages.collect();
        let depot = cx.state_mut();
        depot.shipments += 1;
        depot.open += 1;
        let number = depot.shipments;
        let consignment = Consignment {
            order: order.clone(),
            customer,
            packages,
        };
        cx.field(&open_field(number)).put(&consignment);
        for share in shares {
            cx.entity::<Seller>(&share.seller).shipped(order.clone())?;
        }
        let depot = cx.key();
        cx.entity::<Order>(&order)
            .shipped(ShippedBy { depot, number })?;
        Ok(number)
    }

    /// One round: of the oldest open shipments, each seller's oldest package is delivered. Gives how
    /// many were.
    pub fn deliver(cx: &mut Context<Self>) -> Result<u64> {
        let open = cx
            .fields()
            .prefix(OPEN)
            .limit(ROUND)
            .read::<Consignment>()?;
        let mut served: Vec<Key> = Vec::new();
        let mut delivered = 0;
        for (field, mut consignment) in open {
            let before = delivered;
            for at in 0..consignment.packages.len() {
                let package = &mut consignment.packages[at];
                if package.delivered || served.contains(&package.seller) {
                    continue;
                }
                package.delivered = true;
                served.push(package.seller.clone());
                tell_delivered(cx, &consignment, at)?;
                delivered += 1;
            }
            if delivered > before {
                keep(cx, &field, &consignment);
            }
        }
        if delivered > 0 {
            cx.state_mut().delivered += delivered;
        }
        Ok(delivered)
    }

    /// A shipment by its number.
    #[query]
    pub fn find(cx: &mut QueryContext<Self>, number: u64) -> Result<Option<Consignment>> {
        match cx.field(&open_field(number)).get()? {
            Some(open) => Ok(Some(open)),
            None => cx.field(&done_field(number)).get(),
        }
    }

    /// The depot's counters.
    #[query]
    pub fn counters(&self) -> Result<Shipment> {
        Ok(self.clone())
    }
}

fn tell_delivered(
    cx: &mut Context<Shipment>,
    consignment: &Consignment,
    package: usize,
) -> Result<()> {
    let Consignment {
        order,
        customer,
        packages,
    } = consignment;
    cx.entity::<Customer>(customer).delivered()?;
    cx.entity::<Seller>(&packages[package].seller)
        .delivered(order.clone())?;
    cx.entity::<Order>(order).delivered(package as u32 + 1)?;
    Ok(())
}

/// Writes a shipment back, to where it belongs now.
fn keep(cx: &mut Context<Shipment>, field: &str, consignment: &Consignment) {
    if consignment.packages.iter().all(|package| package.delivered) {
        cx.field(field).delete();
        let number = field
            .strip_prefix(OPEN)
            .expect("the scan was of this prefix");
        cx.field(&format!("{DONE}{number}")).put(consignment);
        cx.state_mut().open -= 1;
    } else {
        cx.field(field).put(consignment);
    }
}

const OPEN: &str = "open/";
const DONE: &str = "done/";

/// Padded, so that the oldest comes first.
fn open_field(number: u64) -> String {
    format!("{OPEN}{number:012}")
}

fn done_field(number: u64) -> String {
    format!("{DONE}{number:012}")
}
