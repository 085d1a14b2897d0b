//! Integration tests, by behaviour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod acl;
mod batch;
mod breaker;
mod clocks;
mod cluster;
mod connection;
mod credentials;
mod database;
mod deep;
mod equal;
mod examples;
mod failure;
mod fencing;
mod flight;
mod foreign;
mod freshness;
mod garbage;
mod keys;
mod lane;
mod large;
mod learned;
mod links;
mod local;
mod names;
mod patient;
mod protocol;
mod runtimes;
mod send;
mod sentinel;
mod shapes;
mod stats;
mod tags;
mod untyped;
mod written;
mod zombies;
