//! Families of metrics as text (`OpenMetrics` 1.0).

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Counts up; the name gets `_total`.
    Counter,
    /// A level.
    Gauge,
    /// Labels alone; the name gets `_info`.
    Info,
}

/// The names and values that tell samples of a family apart.
pub type Labels = Vec<(&'static str, String)>;

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Count(u64),
    /// A time, in seconds.
    Seconds(f64),
    /// Of an info.
    None,
}

/// A metric: its name without suffix and prefix, and its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// What it says, for people.
    pub help: String,
    /// What its samples are.
    pub kind: Kind,
    /// Whether it counts seconds.
    pub seconds: bool,
    /// Its samples.
    pub samples: Vec<(Labels, Value)>,
}

/// All families, as a collector reads them; `prefix` is what every name begins with.
///
/// # Errors
/// Where a family cannot be written.
pub fn text(prefix: &str, families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(prefix);
    registry.register_collector(Box::new(Families(families)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        // A family without samples is not told: its type would be all there is.
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let unit = family.seconds.then_some(Unit::Seconds);
            let metric = encoder.encode_descriptor(
                &family.name,
                &family.help,
                unit.as_ref(),
                family.metric_type(),
            )?;
            EncodeMetric::encode(family, metric)?;
        }
        Ok(())
    }
}

impl EncodeMetric for Family {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (labels, value) in &self.samples {
            if self.kind == Kind::Info {
                encoder.encode_info(labels)?;
                continue;
            }
            if labels.is_empty() {
                self.sample(&mut encoder, *value)?;
            } else {
                self.sample(&mut encoder.encode_family(labels)?, *value)?;
            }
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Info => MetricType::Info,
        }
    }
}

impl Family {
    /// A family of numbers.
    #[must_use]
    pub fn new(kind: Kind, name: &str, help: &str, samples: Vec<(Labels, Value)>) -> Self {
        Self {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            seconds: false,
            samples,
        }
    }

    /// The same family, which counts seconds.
    #[must_use]
    pub fn in_seconds(self) -> Self {
        Self {
            seconds: true,
            ..self
        }
    }

    fn sample(&self, encoder: &mut MetricEncoder<'_>, value: Value) -> Result<(), fmt::Error> {
        match (self.kind, value) {
            (Kind::Counter, Value::Count(count)) => {
                encoder.encode_counter::<NoLabelSet, _, u64>(&count, None)
            }
            (Kind::Counter, Value::Seconds(seconds)) => {
                encoder.encode_counter::<NoLabelSet, _, u64>(&seconds, None)
            }
            (Kind::Gauge, Value::Count(count)) => encoder.encode_gauge(&count),
            (Kind::Gauge, Value::Seconds(seconds)) => encoder.encode_gauge(&seconds),
            (Kind::Info, _) | (_, Value::None) => Ok(()),
        }
    }
}
