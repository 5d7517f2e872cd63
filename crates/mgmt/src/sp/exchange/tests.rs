use alloc::vec;

use proptest::prelude::*;

use super::super::dispatch::Dispatcher;
use super::super::dispatch::tests::{KEY, Sled, dispatcher};
use super::super::message::Power;
use super::*;
use crate::port::SpPort;

const SECOND: Duration = Duration::from_secs(1);

fn exchange(key: bool) -> Exchange {
    Exchange::new(key.then(|| Key::new(&KEY)), 40, 1_000)
}

/// A link that loses and repeats what `fate` says, until the exchange has no request left.
fn run(
    exchange: &mut Exchange,
    dispatcher: &mut Dispatcher,
    sled: &mut Sled,
    start: Instant,
    mut fate: impl FnMut() -> usize,
) -> (Vec<(u32, Outcome)>, Instant) {
    let (mut outcomes, mut now) = (Vec::new(), start);
    while let Some(due) = exchange.deadline() {
        now = now.max(due);
        let mut out = Vec::new();
        outcomes.extend(exchange.poll(now, &mut out));
        for datagram in out {
            for _ in 0..fate() {
                let Some(answer) = dispatcher.receive(SpPort::One, &datagram, sled) else {
                    continue;
                };
                for _ in 0..fate() {
                    outcomes.extend(exchange.receive(now, &answer));
                }
            }
        }
    }
    (outcomes, now)
}

#[test]
fn orders_are_proven_after_one_question() {
    let (mut exchange, mut dispatcher, mut sled) = (exchange(true), dispatcher(true), Sled::new());
    let id = exchange.ask(Instant::START, Request::SetPower(Power::On), SECOND);
    let (outcomes, end) = run(
        &mut exchange,
        &mut dispatcher,
        &mut sled,
        Instant::START,
        || 1,
    );
    assert_eq!(outcomes, [(id, Outcome::Answered(Response::Done))]);
    assert_eq!((end, sled.powered.len()), (Instant::START, 1));
}

#[test]
fn a_service_processor_that_starts_anew_is_spoken_to_again() {
    let (mut exchange, mut sled) = (exchange(true), Sled::new());
    let mut first = dispatcher(true);
    exchange.ask(Instant::START, Request::Reset, SECOND);
    run(&mut exchange, &mut first, &mut sled, Instant::START, || 1);
    let key = Key::new(&KEY);
    let console = super::super::console::Console::new(16);
    let mut second = Dispatcher::new([[8; 16], [9; 16]], Some(&key), console);
    let id = exchange.ask(Instant::START, Request::Reset, SECOND);
    // Bound to the start before, the order is refused in silence; a question opens the way again.
    let who = exchange.ask(Instant::START, Request::Discover, SECOND);
    let (outcomes, _) = run(&mut exchange, &mut second, &mut sled, Instant::START, || 1);
    assert!(
        matches!(&outcomes[..], [(first, _), (second, Outcome::Answered(Response::Done))] if (*first, *second) == (who, id)),
        "{outcomes:?}"
    );
    assert_eq!(sled.resets, 2);
}

/// What a service processor says of itself.
fn discovered(sled: &mut Sled) -> Message {
    let question = envelope::write(1, &Message::Request(Request::Discover), None).unwrap();
    let mut dispatcher = dispatcher(true);
    let answer = dispatcher.receive(SpPort::One, &question, sled).unwrap();
    envelope::read(&answer, None).unwrap().message
}

#[test]
fn nobody_else_can_answer_an_order() {
    let (mut exchange, mut sled) = (exchange(true), Sled::new());
    run(
        &mut exchange,
        &mut dispatcher(true),
        &mut sled,
        Instant::START,
        || 1,
    );
    let id = exchange.ask(Instant::START, Request::State, SECOND);
    let mut out = Vec::new();
    exchange.poll(Instant::START, &mut out);
    let forged = envelope::write(id, &Message::Response(Response::Done), None).unwrap();
    assert_eq!(exchange.receive(Instant::START, &forged), None);
    let discovered = envelope::write(id, &discovered(&mut sled), None).unwrap();
    assert_eq!(exchange.receive(Instant::START, &discovered), None);
    let stranger = envelope::write(id + 9, &Message::Response(Response::Done), None).unwrap();
    assert_eq!(exchange.receive(Instant::START, &stranger), None);
    assert_eq!(
        exchange.refusals(),
        Refusals {
            strange: 1,
            refused: 2
        }
    );
}

#[test]
fn silence_ends_at_the_deadline() {
    let (mut exchange, mut dispatcher, mut sled) =
        (exchange(false), dispatcher(false), Sled::new());
    let id = exchange.ask(Instant::START, Request::State, SECOND);
    let mut asked = 0;
    let (outcomes, end) = run(
        &mut exchange,
        &mut dispatcher,
        &mut sled,
        Instant::START,
        || {
            asked += 1;
            0
        },
    );
    assert_eq!(outcomes, [(id, Outcome::TimedOut)]);
    assert_eq!((end.since(Instant::START), asked), (SECOND, 5));
    let long = exchange.ask(end, Request::UpdateChunk(0, vec![0; 2_000]), SECOND);
    let (outcomes, _) = run(&mut exchange, &mut dispatcher, &mut sled, end, || 1);
    assert_eq!(outcomes, [(long, Outcome::TooLong)]);
}

proptest! {
    #[test]
    fn loss_and_repetition_carry_an_order_out_once_or_not_at_all(
        fates in proptest::collection::vec(0..3_usize, 40),
        key: bool,
    ) {
        let (mut exchange, mut dispatcher, mut sled) = (exchange(key), dispatcher(key), Sled::new());
        let id = exchange.ask(Instant::START, Request::SetPower(Power::On), 4 * SECOND);
        let mut fates = fates.into_iter().cycle();
        let (outcomes, _) = run(&mut exchange, &mut dispatcher, &mut sled, Instant::START, || {
            fates.next().unwrap_or_default()
        });
        let answered = matches!(&outcomes[..], [(it, Outcome::Answered(Response::Done))] if *it == id);
        prop_assert!(answered || outcomes == [(id, Outcome::TimedOut)], "{outcomes:?}");
        prop_assert!(sled.powered.len() <= 1);
        prop_assert!(!answered || sled.powered.len() == 1);
    }
}
