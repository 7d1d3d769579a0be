//! Requests per second of any Parsec service through upstream's Rust client, which makes a connection for each.
//!
//! usage: upstream-bench ping|ecdsa|rsa SECONDS (`PARSEC_SERVICE_ENDPOINT` names the socket)

use std::error::Error;
use std::time::{Duration, Instant};

use parsec_client::BasicClient;
use parsec_client::core::interface::operations::psa_algorithm::{AsymmetricSignature, Hash};
use parsec_client::core::interface::operations::psa_key_attributes::{Attributes, EccFamily, Lifetime, Policy, Type, UsageFlags};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, seconds] = arguments.as_slice() else {
        return Err("usage: upstream-bench ping|ecdsa|rsa SECONDS".into());
    };
    let seconds = Duration::from_secs_f64(seconds.parse()?);
    let client = BasicClient::new(None)?;
    let hash_alg = Hash::Sha256.into();
    match what.as_str() {
        "ping" => measure(seconds, || client.ping().map(drop)),
        "ecdsa" => sign(
            &client,
            seconds,
            Type::EccKeyPair { curve_family: EccFamily::SecpR1 },
            256,
            AsymmetricSignature::Ecdsa { hash_alg },
        ),
        "rsa" => sign(&client, seconds, Type::RsaKeyPair, 2048, AsymmetricSignature::RsaPkcs1v15Sign { hash_alg }),
        _ => Err(format!("unknown operation {what}").into()),
    }
}

fn sign(
    client: &BasicClient,
    time: Duration,
    key_type: Type,
    bits: usize,
    algorithm: AsymmetricSignature,
) -> Result<(), Box<dyn Error>> {
    let name = format!("bench-{}", std::process::id());
    let mut usage_flags = UsageFlags::default();
    let _ = usage_flags.set_sign_hash();
    let policy = Policy { usage_flags, permitted_algorithms: algorithm.into() };
    client.psa_generate_key(&name, Attributes { lifetime: Lifetime::Persistent, key_type, bits, policy })?;
    let measured = measure(time, || client.psa_sign_hash(&name, &[0x5a; 32], algorithm).map(drop));
    client.psa_destroy_key(&name)?;
    measured
}

#[allow(clippy::print_stdout, reason = "the result")]
fn measure<E: Error + 'static>(time: Duration, mut request: impl FnMut() -> Result<(), E>) -> Result<(), Box<dyn Error>> {
    let mut us = Vec::new();
    let start = Instant::now();
    while start.elapsed() < time {
        let sent = Instant::now();
        request()?;
        us.push(sent.elapsed().as_micros());
    }
    let rate = us.len() as f64 / start.elapsed().as_secs_f64();
    us.sort_unstable();
    println!("ops_per_s={rate:.1} p50_us={} p99_us={}", us[us.len() / 2], us[us.len() * 99 / 100]);
    Ok(())
}
