//! Random racks, random failures.

use proptest::prelude::*;

use super::net::Net;

#[derive(Clone, Debug)]
enum Step {
    Cut(usize),
    Silence(usize),
    Heal(usize),
    Restart(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<usize>().prop_map(Step::Cut),
        2 => any::<usize>().prop_map(Step::Silence),
        3 => any::<usize>().prop_map(Step::Heal),
        1 => any::<usize>().prop_map(Step::Restart),
        3 => (0_u64..200).prop_map(Step::Wait),
    ]
}

fn act(net: &mut Net, step: &Step) {
    let wires = net.wires();
    let wire = |at: &usize| wires[at % wires.len()];
    match step {
        Step::Cut(at) => {
            let (a, b) = wire(at);
            net.cut(a, b);
        }
        Step::Silence(at) => {
            let (a, b) = wire(at);
            net.silence(a, b);
        }
        Step::Heal(at) => {
            let (a, b) = wire(at);
            net.heal(a, b);
        }
        Step::Restart(at) => {
            let node = at % net.nodes.len();
            net.kill(node);
            net.run_ms(50);
            net.start(node);
        }
        Step::Wait(ms) => net.run_ms(*ms),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever fails and heals, after it has come to rest no packet goes round, and each arrives that can.
    #[test]
    fn at_rest_there_is_no_loop_and_no_blackhole(
        (racks, sleds, spines) in prop_oneof![
            Just((1, 3, 0)), Just((2, 2, 0)), Just((3, 1, 0)), Just((2, 2, 2)), Just((3, 1, 2)),
        ],
        steps in proptest::collection::vec(step(), 1..14),
    ) {
        let (mut net, _) = Net::racks(racks, sleds, spines);
        net.run_ms(300);
        for step in &steps {
            act(&mut net, step);
        }
        // Longer than what is stale is kept.
        net.run_ms(45_000);
        let checked = net.check();
        prop_assert!(checked.is_ok(), "{checked:?}");
    }
}
