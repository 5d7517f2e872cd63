//! The metadata service, as curl sees it.

use anyhow::{Result, ensure};
use rackweave_rig::{Guest, Lab, on_each_underlay};

on_each_underlay! {
    a_guest_reads_its_own_metadata_with_a_token,
}

const V4: &str = "http://169.254.169.254/latest";
const V6: &str = "http://[fd00:ec2::254]/latest";

fn curl(guest: &Guest, words: &[&str]) -> Result<String> {
    let base = [
        "curl",
        "-sS",
        "-g",
        "-m",
        "10",
        "--retry",
        "3",
        "--retry-connrefused",
    ];
    guest.namespace.must(&[&base, words].concat())
}

fn token(guest: &Guest, service: &str) -> Result<String> {
    let url = format!("{service}/api/token");
    let life = "X-aws-ec2-metadata-token-ttl-seconds: 60";
    let said = curl(guest, &["-f", "-X", "PUT", "-H", life, &url])?;
    Ok(format!("X-aws-ec2-metadata-token: {said}"))
}

fn a_guest_reads_its_own_metadata_with_a_token(lab: &Lab) -> Result<()> {
    // Two guests of one address, in two VPCs on one sled: each is told of itself.
    for guest in lab.configured(["test", "test-b"])? {
        for service in [V4, V6] {
            let token = token(guest, service)?;
            let get = |path: &str| {
                let url = format!("{service}/{path}");
                curl(guest, &["-f", "-H", &token, &url])
            };
            ensure!(get("meta-data/local-hostname")?.starts_with(guest.name));
            ensure!(get("meta-data/local-ipv4")? == guest.v4().to_string());
            ensure!(get("meta-data/instance-id")?.starts_with("i-"));
            let key = get("meta-data/public-keys/0/openssh-key")?;
            ensure!(key.starts_with("ssh-ed25519 "), "{key}");
            ensure!(get("meta-data/")?.contains("instance-id"));

            let url = format!("{service}/meta-data/instance-id");
            let code = ["-o", "/dev/null", "-w", "%{http_code}", &url];
            ensure!(curl(guest, &code)? == "401", "without a token");
            let forged = ["-H", "X-aws-ec2-metadata-token: forged"];
            ensure!(
                curl(guest, &[&forged[..], &code].concat())? == "401",
                "with a forged token"
            );
        }
    }
    Ok(())
}
