//! A fault that is planted is found: else the invariants say nothing.

use super::net::Net;
use crate::ddm::item::Item;
use crate::ddm::message::{Frame, Items, Kind, Update, emit_item};

/// Takes the withdrawals out of what node 7 says, as if it had skipped them.
fn skip_withdrawals(node: usize, bytes: &mut Vec<u8>) {
    let update = Frame::parse(bytes)
        .ok()
        .filter(|frame| frame.kind == Kind::Update);
    let update = update.and_then(|frame| Update::parse(frame.body).ok());
    let Some(update) = update.filter(|_| node == 7) else {
        return;
    };
    let mut items = Vec::new();
    for item in Items::new(update.items) {
        match item.unwrap() {
            Item::Withdraw(_) => {}
            item => emit_item(&mut items, &item),
        }
    }
    let kept = Update {
        items: &items,
        ..update
    };
    *bytes = kept.emit(false);
}

/// Racks 1 and 2, of which switch 6 loses its way to rack 1, and then switch 7.
fn cut_off(tamper: Option<fn(usize, &mut Vec<u8>)>) -> Net {
    let (mut net, _) = Net::racks(2, 2, 0);
    net.run_ms(300);
    net.tamper = tamper;
    for (a, b) in [(2, 6), (3, 6), (2, 7), (3, 7)] {
        net.cut(a, b);
        net.run_ms(100);
    }
    net
}

#[test]
fn a_skipped_withdrawal_is_found() {
    let honest = cut_off(None);
    honest.check().unwrap();
    assert!(honest.check_stale().is_ok());
    let faulty = cut_off(Some(skip_withdrawals));
    assert!(faulty.check_stale().unwrap_err().contains("by way of 7"));
}
