//! gRPC services, wiring, configuration and the clock.
