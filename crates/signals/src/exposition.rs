//! Prometheus and OpenMetrics text.
