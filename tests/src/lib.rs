//! The harness and the suites that need a running service.
