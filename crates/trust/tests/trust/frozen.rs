//! The octets of version 1 of every format, for ever: do not change this test, add one beside it.

use rackweave_trust::{
    Assignment, AzCertificate, Chain, NodeCertificate, RackCertificate, SecretKey, Signed,
    Statement, open, seal,
};

use crate::tree::Tree;

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let octet = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(octet).collect()
}

const AZ: &str = "\
    727763740101a500010158208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c02\
    1a6553f100031a6b49d2000446fd0011223344ca9d4cfd5f314266c60e31e1108d2bf9d94df19eb98342028936\
    bb3b4fe09a9b4726e28d1b2ed32a970ab8de21d0ea6b672f6707fd8e9f50165430afacf6280d";
const RACK: &str = "\
    727763740102a500020158208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39402\
    1a6553f100031a6b49d2000447fd00112233440108275d450cf0133a723a5211738f12e0e48a08889b3b3800a5\
    be02f3235b8209a974d6145923a4648c8dd2c6b3cd3bfede05368669028f4c0739ee234541c300";
const NODE: &str = "\
    727763740103a70003015820ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d102\
    1a6553f100031a6b49d2000466736c65642d310546a8402510000106016ec915c31fd37acb3fa453b795b9996d\
    103c77a6dd9750c16ac0d44c01c04ca0beefb5ae3193d11abd27cc79cbd2a87714d07452eef0c31785482d2895\
    edeb0b";
const ASSIGNMENT: &str = "\
    727763740104a40066736c65642d310146a8402510000102010348fd001122334401017e97c4b936ff0903b963\
    d010a4f57887f04b13cbe430579a1741129da009ab78fc42b93f85aee063d122c949a8aed549c7b0d183f0c416\
    3ac5c38d9f4c36330d";
const PEM: &str = "\
-----BEGIN RACKWEAVE NODE CERTIFICATE-----
cndjdAEDpwADAVgg7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9ECGmVT
8QADGmtJ0gAEZnNsZWQtMQVGqEAlEAABBgFuyRXDH9N6yz+kU7eVuZltEDx3pt2X
UMFqwNRMAcBMoL7vta4xk9EavSfMecvSqHcU0HRS7vDDF4VILSiV7esL
-----END RACKWEAVE NODE CERTIFICATE-----
";

/// The same as `NODE` as a later release may write it: with a field more, that this one does not know.
const NODE_WITH_MORE: &str = "\
    727763740103a80003015820ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d102\
    1a6553f100031a6b49d2000466736c65642d310546a840251000010601186382016178f167d79c54b5f242e3ee\
    2df78adc3fad6dffabbbd2d76ca4e983c7a17350fcddc16089eeffb3100242f8e9ceb6a8fc805cb30a9ba0a192\
    351c57b9420ec03208";

fn frozen<T: Statement + Clone + PartialEq + std::fmt::Debug>(signed: &Signed<T>, octets: &str) {
    assert_eq!(hex(signed.as_bytes()), octets);
    assert_eq!(&Signed::from_bytes(&unhex(octets)).unwrap(), signed);
}

#[test]
fn certificates_are_written_and_read_as_ever() {
    let tree = Tree::new();
    frozen::<AzCertificate>(&tree.az_certificate, AZ);
    frozen::<RackCertificate>(&tree.rack_certificate, RACK);
    frozen::<NodeCertificate>(&tree.node_certificate, NODE);
    assert_eq!(tree.node_certificate.to_pem(), PEM);
    assert_eq!(Signed::from_pem(PEM).unwrap(), tree.node_certificate);
}

#[test]
fn assignments_are_written_and_read_as_ever() {
    let assignment = Tree::new().assignment;
    assert_eq!(hex(&assignment.to_bytes()), ASSIGNMENT);
    assert_eq!(
        Assignment::from_bytes(&unhex(ASSIGNMENT)).unwrap(),
        assignment
    );
}

#[test]
fn a_chain_is_its_certificates_in_a_map() {
    let chain = Tree::new().chain();
    // {0: node (octets), 1: rack (octets)}
    let length = |octets: &str| format!("58{:02x}{octets}", octets.len() / 2);
    let octets = format!("a200{}01{}", length(NODE), length(RACK));
    assert_eq!(hex(&chain.to_bytes()), octets);
    assert_eq!(Chain::from_bytes(&unhex(&octets)).unwrap(), chain);
}

#[test]
fn what_a_later_release_adds_is_passed_over_and_stays_signed() {
    let tree = Tree::new();
    let later = Signed::<NodeCertificate>::from_bytes(&unhex(NODE_WITH_MORE)).unwrap();
    let known = later.verify(&tree.rack.public()).unwrap();
    assert_eq!(known, tree.node_certificate.claims());
}

const SEALED: &str = "ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59ba81262f758702efdb9558d8faddea9230d52bf9c021";

#[test]
fn a_box_is_sealed_and_opened_as_ever() {
    let key = SecretKey::new(&[1; 32]);
    let sealed = seal(&key.public(), [2; 32], b"test", b"secret").unwrap();
    assert_eq!(hex(&sealed), SEALED);
    assert_eq!(open(&key, b"test", &unhex(SEALED)).unwrap(), b"secret");
}
