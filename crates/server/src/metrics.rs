//! What is counted, without locks: a request touches a few atomics of its route. Prometheus' text is
//! made when it is asked for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::route::Route;
use crate::shared::Shared;

/// The upper bounds of the latency buckets, in microseconds.
const BUCKETS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 10_000_000,
];

/// The counters of a server.
#[derive(Default)]
pub(crate) struct Metrics {
    routes: [PerRoute; Route::ALL.len()],
    /// Requests that found no route.
    unrouted: AtomicU64,
    pub connections: AtomicU64,
    pub connections_refused: AtomicU64,
    pub streams: AtomicU64,
    pub stream_calls: AtomicU64,
    pub batch_calls: AtomicU64,
    /// Requests beyond the limits of the server, beside those beyond the node's.
    pub overloads: AtomicU64,
}

#[derive(Default)]
struct PerRoute {
    /// By the status' first digit, 1 to 5.
    statuses: [AtomicU64; 5],
    latency: Latency,
}

#[derive(Default)]
struct Latency {
    /// Each its own, not cumulative; the last is for all beyond.
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Metrics {
    /// Counts one answered request.
    pub fn answered(&self, route: Option<Route>, status: u16, took: Duration) {
        let Some(route) = route else {
            self.unrouted.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let counters = &self.routes[route.index()];
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        counters.statuses[class].fetch_add(1, Ordering::Relaxed);
        counters.latency.add(took);
    }
}

impl Latency {
    fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|bound| *bound < us);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Sum in seconds, count, and the buckets as (upper bound in seconds, count).
    fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let bounds = BUCKETS_US.iter().map(|us| *us as f64 / 1e6);
        let bounds = bounds.chain([f64::INFINITY]);
        let counts = self
            .buckets
            .iter()
            .map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        (sum, count, buckets)
    }
}

/// Everything as Prometheus reads it.
pub(crate) fn text(shared: &Arc<Shared>) -> String {
    let mut registry = Registry::with_prefix("ordain");
    registry.register_collector(Box::new(Scrape(shared.clone())));
    let mut text = String::with_capacity(16 << 10);
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("a string takes text");
    text
}

struct Scrape(Arc<Shared>);

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.server(&mut encoder)?;
        self.requests(&mut encoder)?;
        self.latencies(&mut encoder)?;
        self.node(&mut encoder)
    }
}

impl Scrape {
    fn server(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Shared { metrics, .. } = &*self.0;
        let ready = u64::from(self.0.ready().ready);
        gauge(to, "ready", "Whether updates are taken", ready)?;
        let in_flight = self.0.requests_in_flight() as u64;
        gauge(
            to,
            "http_requests_in_flight",
            "Requests being answered",
            in_flight,
        )?;
        let connections = metrics.connections.load(Ordering::Relaxed);
        gauge(to, "connections", "Open connections", connections)?;
        let streams = metrics.streams.load(Ordering::Relaxed);
        gauge(to, "streams", "Open streams", streams)?;
        let counters = [
            (
                "connections_refused",
                "Connections beyond the limit",
                &metrics.connections_refused,
            ),
            (
                "http_unrouted",
                "Requests that found no route",
                &metrics.unrouted,
            ),
            (
                "stream_calls",
                "Calls that came in streams",
                &metrics.stream_calls,
            ),
            (
                "batch_calls",
                "Calls that came in batches",
                &metrics.batch_calls,
            ),
        ];
        for (name, help, value) in counters {
            counter(to, name, help, value.load(Ordering::Relaxed))?;
        }
        let of_node = self.0.open().map(|open| &open.node.counters().overloads);
        let overloads = of_node.into_iter().chain([&metrics.overloads]);
        let overloads = overloads.map(|count| count.load(Ordering::Relaxed)).sum();
        let help = "Requests refused because too many were there already";
        counter(to, "overloads", help, overloads)
    }

    fn requests(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Answered requests by route and status";
        let mut family = to.encode_descriptor("http_requests", help, None, MetricType::Counter)?;
        for route in Route::ALL {
            let statuses = &self.0.metrics.routes[route.index()].statuses;
            for (class, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"]
                .into_iter()
                .zip(statuses)
            {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let labels = [("route", route.pattern()), ("status", class)];
                    family
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
                }
            }
        }
        Ok(())
    }

    fn latencies(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from a request's head to its answer's";
        let unit = Unit::Seconds;
        let mut family = to.encode_descriptor(
            "http_request_duration",
            help,
            Some(&unit),
            MetricType::Histogram,
        )?;
        for route in Route::ALL {
            let (sum, count, buckets) = self.0.metrics.routes[route.index()].latency.read();
            if count > 0 {
                family
                    .encode_family(&[("route", route.pattern())])?
                    .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
            }
        }
        Ok(())
    }

    fn node(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(open) = self.0.open() else {
            return Ok(());
        };
        let node = open.node.counters();
        let counters = [
            ("commands", "Executed commands", &node.commands),
            ("queries", "Answered queries", &node.queries),
            (
                "rejections",
                "Commands and queries answered with a rejection, retries included",
                &node.rejections,
            ),
            (
                "faults",
                "Commands and queries answered with a fault, retries included",
                &node.faults,
            ),
            (
                "repeated",
                "Commands answered from an earlier one of the same key",
                &node.repeated,
            ),
            ("batches", "Executed batches", &node.batches),
            ("log_syncs", "Writes and syncs of the log", &node.syncs),
            ("log_sync_microseconds", "Time spent in them", &node.sync_us),
            ("log_bytes", "Bytes written to the log", &node.log_bytes),
            ("checkpoints", "Checkpoints taken", &node.checkpoints),
            (
                "checkpoint_failures",
                "Checkpoints that failed",
                &node.checkpoint_failures,
            ),
        ];
        for (name, help, value) in counters {
            counter(to, name, help, value.load(Ordering::Relaxed))?;
        }
        let gauges = [
            ("seq", "The last executed command", &node.seq),
            ("durable_seq", "The last durable command", &node.durable_seq),
            (
                "checkpoint_seq",
                "The seq of the last checkpoint",
                &node.checkpoint_seq,
            ),
            ("queue_commands", "Requests that wait", &node.queue_commands),
            (
                "entities_in_memory",
                "Entities in memory",
                &node.entities_in_memory,
            ),
            (
                "memory_bytes",
                "Bytes of entities in memory",
                &node.memory_bytes,
            ),
            (
                "sends_pending",
                "Sends that wait for their delivery",
                &node.sends_pending,
            ),
        ];
        for (name, help, value) in gauges {
            gauge(to, name, help, value.load(Ordering::Relaxed))?;
        }
        Ok(())
    }
}

fn counter(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    to.encode_descriptor(name, help, None, MetricType::Counter)?
        .encode_counter::<NoLabelSet, u64, u64>(&value, None)
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    to.encode_descriptor(name, help, None, MetricType::Gauge)?
        .encode_gauge(&value)
}
