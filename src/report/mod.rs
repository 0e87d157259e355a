//! The only place that prints or draws; fed by engine events.
