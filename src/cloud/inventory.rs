//! What carries our tags already, and what the region offers: read before the graph is built.

/// What the graph is built from, besides the configuration.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The availability zones of the subnets, by name, in order.
    pub zones: Vec<String>,
}
