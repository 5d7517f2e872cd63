//! TCP as seen in passing: states from flags alone.
//!
//! Sequence numbers are not tracked: an offloaded connection shows only some of its segments. So no single segment
//! may be trusted to end a connection. After an RST the record gets a short life, and comes back once both ends go
//! on sending; a forged RST costs nothing (RFC 5961, section 1.1 tells how easily they are made).
//! A state counts for more than [`FlowClass::Opening`] only after *both* ends sent something.

use super::FlowClass;
use crate::direction::Direction;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// How far a TCP connection is (RFC 9293, section 3.3.2, seen from between the ends). *Out* is the guest's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TcpState {
    /// Not TCP, or nothing seen yet.
    #[default]
    None = 0,
    /// The guest sent its SYN.
    SynOut,
    /// The other end sent its SYN.
    SynIn,
    /// The guest's SYN was answered with a SYN; the guest's ACK is missing.
    SynReceivedOut,
    /// The other end's SYN was answered with a SYN; its ACK is missing.
    SynReceivedIn,
    /// In the middle of a connection, only the guest's segments were seen.
    AdoptedOut,
    /// In the middle of a connection, only the other end's segments were seen.
    AdoptedIn,
    /// As [`AdoptedOut`](Self::AdoptedOut), and the guest sent FIN.
    AdoptedFinOut,
    /// As [`AdoptedIn`](Self::AdoptedIn), and the other end sent FIN.
    AdoptedFinIn,
    /// Both ends have sent, and neither has finished.
    Established,
    /// The guest sent FIN; the other end may go on sending.
    FinOut,
    /// The other end sent FIN; the guest may go on sending.
    FinIn,
    /// Both ends sent FIN: what follows are retransmissions.
    Closing,
    /// One end sent RST; neither was heard since.
    Reset,
    /// One end sent RST; the guest went on sending.
    ResetOut,
    /// One end sent RST; the other end went on sending.
    ResetIn,
}

/// What of the flags matters: the first of these that holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Reset,
    Syn,
    Fin,
    Other,
}

impl Segment {
    const fn of(flags: u8) -> Self {
        if flags & RST != 0 {
            Self::Reset
        } else if flags & SYN != 0 {
            Self::Syn
        } else if flags & FIN != 0 {
            Self::Fin
        } else {
            Self::Other
        }
    }
}

impl TcpState {
    /// Every state, by its number.
    pub const ALL: [Self; 16] = [
        Self::None,
        Self::SynOut,
        Self::SynIn,
        Self::SynReceivedOut,
        Self::SynReceivedIn,
        Self::AdoptedOut,
        Self::AdoptedIn,
        Self::AdoptedFinOut,
        Self::AdoptedFinIn,
        Self::Established,
        Self::FinOut,
        Self::FinIn,
        Self::Closing,
        Self::Reset,
        Self::ResetOut,
        Self::ResetIn,
    ];

    /// The state after a segment with these flags; [`None`](Self::None) is the state before the first.
    ///
    /// Where [`reopened_by`](Self::reopened_by) holds, the segment belongs to a new connection and this is not the
    /// question.
    #[inline]
    #[must_use]
    pub const fn next(self, direction: Direction, flags: u8) -> Self {
        // Nearly all segments: neither SYN, FIN nor RST, on an established connection.
        if matches!(self, Self::Established) && flags & (SYN | FIN | RST) == 0 {
            return self;
        }
        // One table serves both directions: the other one is its mirror.
        match direction {
            Direction::Out => self.after_out(Segment::of(flags)),
            Direction::In => self.mirrored().after_out(Segment::of(flags)).mirrored(),
        }
    }

    /// The state after a segment of the guest.
    const fn after_out(self, segment: Segment) -> Self {
        use Segment::{Fin, Other, Reset, Syn};
        match (self, segment) {
            (Self::None, Syn) => Self::SynOut,
            (Self::None, Fin) => Self::AdoptedFinOut,
            (Self::None, Reset | Other) => Self::AdoptedOut,

            // Whatever an end sends alone, the connection stays half-open. An answer without SYN to the SYN is a
            // challenge ACK of an older connection (RFC 5961, section 4).
            (Self::SynOut, _) | (Self::SynIn, Fin | Other) => self,
            (Self::SynIn, Syn) => Self::SynReceivedIn,
            (Self::SynReceivedOut, Other) => Self::Established,
            (Self::SynReceivedOut, Fin) => Self::FinOut,
            (Self::SynReceivedOut, Syn) | (Self::SynReceivedIn, Syn | Fin | Other) => self,

            (Self::AdoptedOut, Fin) => Self::AdoptedFinOut,
            (Self::AdoptedOut | Self::AdoptedFinOut, _) => self,
            (Self::AdoptedIn, Other | Syn) => Self::Established,
            (Self::AdoptedIn, Fin) => Self::FinOut,
            (Self::AdoptedFinIn, Other | Syn) => Self::FinIn,
            (Self::AdoptedFinIn, Fin) => Self::Closing,

            (Self::Established, Fin) => Self::FinOut,
            (Self::Established, Syn | Other) => self,
            (Self::FinIn, Fin) => Self::Closing,
            (Self::FinOut | Self::FinIn, Syn | Fin | Other) => self,

            (Self::Closing, _) => self,
            (Self::Reset | Self::ResetOut, Syn | Fin | Other) => Self::ResetOut,
            (Self::ResetIn, Syn | Other) => Self::Established,
            (Self::ResetIn, Fin) => Self::FinOut,
            (_, Reset) => Self::Reset,
        }
    }

    /// The same state with the ends exchanged.
    const fn mirrored(self) -> Self {
        match self {
            Self::SynOut => Self::SynIn,
            Self::SynIn => Self::SynOut,
            Self::SynReceivedOut => Self::SynReceivedIn,
            Self::SynReceivedIn => Self::SynReceivedOut,
            Self::AdoptedOut => Self::AdoptedIn,
            Self::AdoptedIn => Self::AdoptedOut,
            Self::AdoptedFinOut => Self::AdoptedFinIn,
            Self::AdoptedFinIn => Self::AdoptedFinOut,
            Self::FinOut => Self::FinIn,
            Self::FinIn => Self::FinOut,
            Self::ResetOut => Self::ResetIn,
            Self::ResetIn => Self::ResetOut,
            Self::None | Self::Established | Self::Closing | Self::Reset => self,
        }
    }

    /// Whether a segment with these flags is the first of a connection.
    #[inline]
    #[must_use]
    pub const fn is_opened_by(flags: u8) -> bool {
        flags & (SYN | ACK | RST) == SYN
    }

    /// Whether a segment with these flags opens a new connection with the addresses and ports of this one, which
    /// has ended (RFC 9293, section 3.6.1).
    #[inline]
    #[must_use]
    pub const fn reopened_by(self, flags: u8) -> bool {
        matches!(self.class(), FlowClass::Closing) && Self::is_opened_by(flags)
    }

    /// How valuable a connection in this state is.
    #[inline]
    #[must_use]
    pub const fn class(self) -> FlowClass {
        match self {
            Self::None
            | Self::SynOut
            | Self::SynIn
            | Self::SynReceivedOut
            | Self::SynReceivedIn
            | Self::AdoptedOut
            | Self::AdoptedIn
            | Self::AdoptedFinOut
            | Self::AdoptedFinIn => FlowClass::Opening,
            Self::Established | Self::FinOut | Self::FinIn => FlowClass::Established,
            Self::Closing | Self::Reset | Self::ResetOut | Self::ResetIn => FlowClass::Closing,
        }
    }

    /// The number that a record holds.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        // The enum is `repr(u8)`.
        self as u8
    }

    /// The state with this number; a number that no state has gives [`None`](Self::None).
    #[inline]
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        Self::ALL
            .get(usize::from(number))
            .copied()
            .unwrap_or_default()
    }

    /// The name as it stands in listings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SynOut => "syn_out",
            Self::SynIn => "syn_in",
            Self::SynReceivedOut => "syn_received_out",
            Self::SynReceivedIn => "syn_received_in",
            Self::AdoptedOut => "adopted_out",
            Self::AdoptedIn => "adopted_in",
            Self::AdoptedFinOut => "adopted_fin_out",
            Self::AdoptedFinIn => "adopted_fin_in",
            Self::Established => "established",
            Self::FinOut => "fin_out",
            Self::FinIn => "fin_in",
            Self::Closing => "closing",
            Self::Reset => "reset",
            Self::ResetOut => "reset_out",
            Self::ResetIn => "reset_in",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Direction::{In, Out};

    const SYN_ACK: u8 = SYN | ACK;
    const FIN_ACK: u8 = FIN | ACK;

    fn check(name: &str, segments: &[(Direction, u8)], expected: TcpState) {
        let mut state = TcpState::None;
        for &(direction, flags) in segments {
            state = state.next(direction, flags);
        }
        assert_eq!(state, expected, "{name}");
    }

    #[test]
    fn conversations_end_where_they_should() {
        check(
            "handshake of the guest",
            &[(Out, SYN), (In, SYN_ACK), (Out, ACK)],
            TcpState::Established,
        );
        check(
            "handshake of the other end",
            &[(In, SYN), (Out, SYN_ACK), (In, ACK)],
            TcpState::Established,
        );
        check(
            "simultaneous open",
            &[
                (Out, SYN),
                (In, SYN),
                (Out, SYN_ACK),
                (In, SYN_ACK),
                (Out, ACK),
            ],
            TcpState::Established,
        );
        check("unanswered", &[(Out, SYN), (Out, SYN)], TcpState::SynOut);
        check("challenge ACK", &[(Out, SYN), (In, ACK)], TcpState::SynOut);
        check("refused", &[(Out, SYN), (In, RST | ACK)], TcpState::Reset);
        check(
            "sender resets its own SYN",
            &[(Out, SYN), (Out, RST)],
            TcpState::SynOut,
        );
        check(
            "scanner resets after the answer",
            &[(In, SYN), (Out, SYN_ACK), (In, RST)],
            TcpState::Reset,
        );
        check(
            "responder's data before the ACK",
            &[(Out, SYN), (In, SYN_ACK), (In, ACK)],
            TcpState::SynReceivedOut,
        );
        check("adopted", &[(Out, ACK), (In, ACK)], TcpState::Established);
        check(
            "adopted, alone",
            &[(In, ACK), (In, ACK), (In, RST)],
            TcpState::AdoptedIn,
        );
        check(
            "adopted at its end",
            &[(Out, FIN_ACK), (In, FIN_ACK)],
            TcpState::Closing,
        );
        check(
            "adopted half-closed",
            &[(Out, FIN_ACK), (In, ACK)],
            TcpState::FinOut,
        );
        check(
            "half-closed",
            &[(Out, ACK), (In, ACK), (In, FIN_ACK), (Out, ACK), (In, ACK)],
            TcpState::FinIn,
        );
        check(
            "closed",
            &[
                (Out, ACK),
                (In, ACK),
                (In, FIN_ACK),
                (Out, FIN_ACK),
                (In, ACK),
            ],
            TcpState::Closing,
        );
        check(
            "closed, then RST",
            &[(Out, ACK), (In, FIN_ACK), (Out, FIN_ACK), (In, RST)],
            TcpState::Closing,
        );
        check(
            "reset",
            &[(Out, ACK), (In, ACK), (In, RST)],
            TcpState::Reset,
        );
        check(
            "reset, rest of a burst",
            &[(Out, ACK), (In, ACK), (In, RST), (Out, ACK), (Out, ACK)],
            TcpState::ResetOut,
        );
        check(
            "reset again",
            &[(Out, ACK), (In, ACK), (In, RST), (Out, ACK), (In, RST)],
            TcpState::Reset,
        );
        check(
            "forged reset",
            &[(Out, ACK), (In, ACK), (In, RST), (Out, ACK), (In, ACK)],
            TcpState::Established,
        );
        check(
            "forged reset, FIN",
            &[(Out, ACK), (In, ACK), (In, RST), (Out, ACK), (In, FIN_ACK)],
            TcpState::FinIn,
        );
        check(
            "SYN into an established one",
            &[(Out, ACK), (In, ACK), (In, SYN)],
            TcpState::Established,
        );
    }

    #[test]
    fn only_ended_connections_are_reopened() {
        for state in TcpState::ALL {
            assert_eq!(
                state.reopened_by(SYN),
                state.class() == FlowClass::Closing,
                "{}",
                state.name()
            );
            assert!(
                !state.reopened_by(SYN_ACK)
                    && !state.reopened_by(ACK)
                    && !state.reopened_by(SYN | RST)
            );
        }
    }

    #[test]
    fn numbers_and_states_are_one_to_one() {
        for (number, state) in (0_u8..).zip(TcpState::ALL) {
            assert_eq!(state.number(), number);
            assert_eq!(TcpState::from_number(number), state);
            assert_eq!(state.mirrored().mirrored(), state);
            assert!(
                TcpState::ALL
                    .iter()
                    .filter(|other| other.name() == state.name())
                    .count()
                    == 1
            );
        }
        assert_eq!(TcpState::from_number(16), TcpState::None);
    }

    proptest! {
        /// One end alone never makes a record more valuable than a half-open one.
        #[test]
        fn one_end_stays_opening(out: bool, flags in prop::collection::vec(any::<u8>(), 0..20)) {
            let direction = if out { Out } else { In };
            let state = flags.iter().fold(TcpState::None, |state, &flags| state.next(direction, flags));
            prop_assert_eq!(state.class(), FlowClass::Opening);
        }

        /// From any state, data of both ends keeps or brings back a connection that did not see both FINs.
        #[test]
        fn both_ends_revive(segments in prop::collection::vec((any::<bool>(), any::<u8>()), 0..20)) {
            let mut state = TcpState::None;
            for (out, flags) in segments {
                state = state.next(if out { Out } else { In }, flags);
            }
            let revived = state.next(Out, ACK).next(In, ACK).next(Out, ACK);
            if matches!(state, TcpState::Reset | TcpState::ResetOut | TcpState::ResetIn) {
                prop_assert_eq!(revived, TcpState::Established);
            }
            if state == TcpState::Closing {
                prop_assert_eq!(revived, TcpState::Closing);
            }
        }
    }
}
